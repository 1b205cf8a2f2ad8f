/** What resource servers and proxies ask with every request of theirs. */
import { type Credentials, fetchJwts, garbageKeys } from './credentials.ts';
import type { Fixture } from './fixtures.ts';
import type { Load } from './load.ts';
import type { MeasuredServer } from './servers.ts';
import type { RequestKind } from './throughput.ts';

const VERIFY = '/v1/auth/verify';
const HELLO: Load = { method: 'GET', path: '/', headers: {}, status: 200, expect: '{"hello":"world"}' };
const GARBAGE = 1000;

const get = (headers: Record<string, string>, expect: string, path = VERIFY): Load => ({
  method: 'GET',
  path,
  headers,
  status: 200,
  expect,
});
const bearer = (credential: string): Record<string, string> => ({ Authorization: `Bearer ${credential}` });

/** The baseline, Koa alone, is asked the same little thing every time. */
export function verifyRequests(
  fixture: Fixture,
  { keys: [key = ''], email }: Pick<Credentials, 'keys' | 'email'>,
): RequestKind[] {
  const kind = (name: string, target: number, load: (server: MeasuredServer) => Load | Promise<Load>): RequestKind => ({
    name,
    target,
    load: async (server) => (server.name === 'Gatehouse' ? load(server) : HELLO),
  });
  const active = '"active":true';

  return [
    kind('verify, API key', 0.5, () => get(bearer(key), active)),
    kind('verify, API key in the body', 0.6, () => ({
      ...get({ 'Content-Type': 'application/json' }, active),
      method: 'POST',
      requests: [{ body: JSON.stringify({ credential: key }) }],
    })),
    kind('verify, JWT access token ES256', 0.5, async (server) =>
      get(bearer((await fetchJwts(server, fixture, email)).accessToken), active),
    ),
    kind('verify, login JWT ES256', 0.5, async (server) =>
      get(bearer((await fetchJwts(server, fixture, email)).login), active),
    ),
    kind('forward-auth, API key', 0.5, () =>
      get(
        { 'X-API-Key': key, 'X-Original-Method': 'GET', 'X-Original-URI': '/v1/memories?limit=10' },
        '',
        '/forward-auth',
      ),
    ),
    kind('verify, garbage API keys', 0.6, () => ({
      ...get({}, '"code":"unauthenticated"'),
      requests: garbageKeys(GARBAGE).map((garbage) => ({ headers: bearer(garbage) })),
      status: 401,
    })),
  ];
}
