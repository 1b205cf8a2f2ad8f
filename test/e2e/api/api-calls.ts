/** The JSON API of one deployment, called at whichever of its processes a test names. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Fetch } from '../../support/e2e-fetch.ts';
import type { World } from '../../support/e2e-world.ts';

/** Whatever can be asked: a process, or one of its workers. */
export interface Asked {
  fetch: Fetch;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has a shape of its own
  body: any;
  /** Milliseconds it took. */
  ms: number;
}

export interface SignedIn {
  accountId: string;
  email: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  sessionId: string;
}

export interface NewKey {
  id: string;
  text: string;
}

interface Asking {
  credential?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export function createApiCalls({ issuer, services }: Pick<World, 'issuer' | 'services'>) {
  async function ask(
    at: Asked,
    method: string,
    path: string,
    { credential, headers = {}, body }: Asking = {},
  ): Promise<Answer> {
    const started = performance.now();
    const response = await at.fetch(issuer + path, {
      method,
      headers: {
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text === '' ? null : JSON.parse(text);
    return {
      status: response.status,
      headers: response.headers,
      body: parsed,
      ms: performance.now() - started,
    };
  }

  async function must(expected: number, asked: Promise<Answer>): Promise<Answer> {
    const answer = await asked;
    if (answer.status !== expected) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }

  const calls = {
    ask,
    must,
    /** An account, made behind the back of the limit that an address has for signing up. */
    async newAccount(): Promise<{ email: string; password: string }> {
      const email = `${randomBytes(6).toString('hex')}@example.com`;
      const password = `a password of ${email}`.replace('@', ' at ');
      await (await services()).manageAccounts.create({ email, password });
      return { email, password };
    },
    async signIn(at: Asked, { email, password }: { email: string; password: string }): Promise<SignedIn> {
      const { body } = await must(200, ask(at, 'POST', '/v1/auth/login', { body: { email, password } }));
      return {
        accountId: body.account.id,
        email,
        password,
        accessToken: body.access_token,
        refreshToken: body.refresh_token,
        sessionId: body.session_id,
      };
    },
    async newPerson(at: Asked): Promise<SignedIn> {
      return calls.signIn(at, await calls.newAccount());
    },
    async createKey(at: Asked, { accessToken }: SignedIn, input: object = {}): Promise<NewKey> {
      const asked = ask(at, 'POST', '/v1/api-keys', { credential: accessToken, body: { name: 'A key', ...input } });
      const { body } = await must(201, asked);
      return { id: body.id, text: body.key };
    },
    revokeKey: (at: Asked, { accessToken }: SignedIn, { id }: NewKey): Promise<Answer> =>
      ask(at, 'DELETE', `/v1/api-keys/${id}`, { credential: accessToken }),
    verify: (at: Asked, credential: string, body: object = {}): Promise<Answer> =>
      ask(at, 'POST', '/v1/auth/verify', { credential, body }),
    refresh: (at: Asked, refreshToken: string): Promise<Answer> =>
      ask(at, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } }),
    logout: (at: Asked, credential: string): Promise<Answer> => ask(at, 'POST', '/v1/auth/logout', { credential }),
    /** The sum of a metric over its labels, at one process. */
    async metric(at: Asked, name: string): Promise<number> {
      const text = await (await at.fetch(`${issuer}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
  };
  return calls;
}

export type ApiCalls = ReturnType<typeof createApiCalls>;

/** How often each status came. */
export function tally(answers: readonly { status: number }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Half of `count` asks the one, half the other, all at once. */
export const between = <T>(
  [one, other]: readonly [Asked, Asked],
  count: number,
  ask: (at: Asked, index: number) => Promise<T>,
): Promise<T[]> => Promise.all(Array.from({ length: count }, (_, i) => ask(i % 2 === 0 ? one : other, i)));

/** Ends of requests after which a socket's next batch goes out. */
const BATCH = 50;

/**
 * Verifies each credential in turn, as fast as one process takes them: pipelined over a few connections, since a client that
 * builds every request anew would be slower than the server. How often each status came.
 */
export async function verifyMany(
  port: number,
  issuer: string,
  credentials: readonly string[],
  { connections = 4, headersOf = () => '' }: { connections?: number; headersOf?: (index: number) => string } = {},
): Promise<Record<string, number>> {
  const { host } = new URL(issuer);
  const counts: Record<string, number> = {};
  let next = 0;

  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      let text = '';
      let open = 0;
      const send = (): void => {
        const batch: string[] = [];
        for (; next < credentials.length && batch.length < BATCH; next += 1) {
          const head = `GET /v1/auth/verify HTTP/1.1\r\nHost: ${host}\r\n${headersOf(next)}`;
          batch.push(`${head}Authorization: Bearer ${credentials[next]}\r\n\r\n`);
        }
        open = batch.length;
        if (open === 0) socket.end();
        else socket.write(batch.join(''));
      };
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
        let end = 0;
        for (const found of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
          counts[found[1] as string] = (counts[found[1] as string] ?? 0) + 1;
          open -= 1;
          end = found.index + found[0].length;
        }
        // A status line may be cut in two.
        text = text.slice(Math.max(end, text.length - 16));
        if (open === 0) send();
      });
      socket.once('connect', send);
      socket.once('error', reject);
      socket.once('close', () => (open === 0 ? resolve() : reject(new Error(`${open} answers are missing`))));
    });

  await Promise.all(Array.from({ length: connections }, run));
  return counts;
}
