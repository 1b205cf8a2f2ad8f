/** The flows of the server, each as its client or browser makes it. */
import { createHash, randomBytes } from 'node:crypto';
import { basic, CALLBACK, type Credentials, clientCredentials, type Fixture, ISSUER, PASSWORD } from './fixtures.ts';
import { type Answer, createHttpClient, due, type HttpClient } from './http.ts';
import type { MeasuredServer } from './servers.ts';

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

export interface Code {
  code: string;
  verifier: string;
}

export interface Flows {
  clientCredentials(resource: string, client?: Credentials): Promise<string>;
  introspect(token: string): Promise<void>;
  /** From the authorization request through sign-in and consent to the code, for somebody who was never here. */
  signIn(email: string): Promise<Code>;
  redeem(code: Code): Promise<Tokens>;
  refresh(tokens: Tokens): Promise<Tokens>;
  verify(apiKey: string): Promise<void>;
  close(): void;
}

const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();

export function createFlows(server: MeasuredServer, { machine, api, web }: Fixture): Flows {
  const http = createHttpClient(server.port);
  const { token, introspect } = server.paths;
  const post = (path: string, client: Credentials, body: string): Promise<Answer> =>
    http.send(path, { form: body, headers: { Authorization: basic(client) } });
  const tokens = async (body: string, client: Credentials): Promise<Tokens> =>
    JSON.parse(due(await post(token, client, body), 200).body) as Tokens;

  return {
    clientCredentials: async (resource, client = machine) =>
      (await tokens(clientCredentials(resource), client)).access_token,
    async introspect(value) {
      const { body } = due(await post(introspect, api, form({ token: value })), 200);
      if (!body.includes('"active":true')) throw new Error(`the token is not active: ${body}`);
    },
    signIn: (email) => signIn(http, web.id, email),
    redeem: ({ code, verifier }) =>
      tokens(form({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK }), web),
    refresh: ({ refresh_token }) => tokens(form({ grant_type: 'refresh_token', refresh_token }), web),
    async verify(apiKey) {
      due(await http.send('/v1/auth/verify', { headers: { 'X-API-Key': apiKey } }), 200);
    },
    close: http.close,
  };
}

let people = 0;

/** An address of its own for everybody: signing in is limited by address. */
function nextAddress(): string {
  people += 1;
  return `198.18.${Math.floor(people / 250) % 250}.${(people % 250) + 1}`;
}

async function signIn(http: HttpClient, clientId: string, email: string): Promise<Code> {
  const cookies = new Map<string, string>();
  const address = nextAddress();

  async function visit(path: string, fields?: Record<string, string>): Promise<Answer> {
    const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ');
    const answer = await http.send(path, {
      headers: { 'X-Forwarded-For': address, ...(cookie === '' ? {} : { Cookie: cookie }) },
      ...(fields ? { form: form(fields) } : {}),
    });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  }
  /** The path that the answer redirects to. */
  function next(answer: Answer): string {
    return String(due(answer, 303).headers.location).replace(ISSUER, '');
  }
  async function submit(path: string, action: string, fields: Record<string, string>): Promise<string> {
    const { body } = due(await visit(path), 200);
    const csrf = /name="csrf" value="([^"]+)"/.exec(body)?.[1] ?? '';
    return next(await visit(`${path}/${action}`, { csrf, ...fields }));
  }

  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid offline_access read',
    state: 'state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const signInPage = next(await visit(`/oauth2/authorize?${query}`));
  const consentPage = next(await visit(await submit(signInPage, 'sign-in', { email, password: PASSWORD })));
  const callback = next(await visit(await submit(consentPage, 'consent', {})));
  const code = new URL(callback).searchParams.get('code');
  if (!code) throw new Error(`there is no code in ${callback}`);
  return { code, verifier };
}
