/** A client of the JSON API, and the people and keys that its tests are about. */
import { createAccount } from './builders.ts';
import type { Harness, Reply, Request } from './harness.ts';

export interface Call {
  /** A credential for the Authorization header. */
  as?: string;
  headers?: NonNullable<Request['headers']>;
  /** Sent as JSON; a string or bytes as they are. */
  body?: object | string | Buffer;
}

/** `call(harness, 'POST /v1/api-keys', { as, body })` */
export function call(harness: Harness, request: string, { as, headers, body }: Call = {}): Promise<Reply> {
  const [method = 'GET', path = '/'] = request.split(' ');
  const raw = typeof body === 'string' || Buffer.isBuffer(body);
  return harness.send(path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(as === undefined ? {} : bearer(as)),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
}

export const bearer = (text: string): { authorization: string } => ({ authorization: `Bearer ${text}` });

/** The members of a good answer; fails with the whole answer when it is not good. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
export async function good(answer: Promise<Reply>): Promise<any> {
  const reply = await answer;
  if (reply.status >= 300) throw new Error(`${reply.status} ${reply.text}`);
  return reply.text === '' ? null : reply.json();
}

/** `401 unauthenticated`: the status and the code of a refusal, for one comparison. */
export async function outcome(answer: Promise<Reply> | Reply): Promise<string> {
  const reply = await answer;
  if (reply.status < 300) return String(reply.status);
  return `${reply.status} ${reply.headers['content-type']?.includes('problem+json') ? reply.json().code : reply.text}`;
}

/** A body without what differs from request to request. */
export const withoutRequestId = ({ text }: Reply): string => text.replace(/"request_id":"[^"]*"/, '"request_id":""');

/** Somebody who signed in by JSON. */
export interface Person {
  id: string;
  email: string;
  password: string;
  token: string;
  refreshToken: string;
  sessionId: string;
}

export async function signIn(harness: Harness, who: { email: string; password: string }): Promise<Person> {
  const { email, password } = who;
  const answer = await good(call(harness, 'POST /v1/auth/login', { body: { email, password } }));
  return {
    id: answer.account.id,
    email,
    password,
    token: answer.access_token,
    refreshToken: answer.refresh_token,
    sessionId: answer.session_id,
  };
}

export const newPerson = async (harness: Harness): Promise<Person> => signIn(harness, await createAccount(harness));

export interface MadeKey {
  id: string;
  key: string;
  namespace: string;
  environment: string;
  scopes: string[];
}

/** A key made by whoever `maker` is: a person's token, or a key. */
export const newKey = (harness: Harness, maker: string | Person, given: object = {}): Promise<MadeKey> =>
  good(
    call(harness, 'POST /v1/api-keys', {
      as: typeof maker === 'string' ? maker : maker.token,
      body: { name: 'A key', ...given },
    }),
  );

/** What the server says of a credential that a resource server was shown. */
export const verify = (harness: Harness, credential: string, asked: object = {}): Promise<Reply> =>
  call(harness, 'POST /v1/auth/verify', { body: { credential, ...asked } });

export const isAccepted = async (harness: Harness, credential: string): Promise<boolean> =>
  (await verify(harness, credential)).status === 200;

/** The events of one type, newest first, as far as they fit. */
export async function auditOf(harness: Harness, type: string, accountId?: string) {
  const events = await harness.services.stores.audit.list({ limit: 1000 });
  return events.filter((event) => event.type === type && (accountId === undefined || event.accountId === accountId));
}
