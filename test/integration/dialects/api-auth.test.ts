import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import { createClient, type TestClient } from '../../support/builders.ts';
import { createTestClock, type Reply, type TestClock } from '../../support/harness.ts';
import { type Exchange, snippetOf, substituted, tableOf, unusedSnippets } from '../../support/snippets.ts';
import {
  apiKeyOf,
  bearer,
  good,
  json,
  type PublishedApi,
  pageOf,
  publish,
  signedIn,
  tokenOf,
} from './published-api.ts';

const PAGE = pageOf('api-auth');
const HOST = 'https://api.example.com';
const JWT = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...';
const CALLBACK = 'https://yourapp.com/callback';
/** As the page writes times. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** What a browser has and Node has not: an address bar that leads to the authorization endpoint, cookies and a store. */
const BROWSER = `
globalThis.window = { location: { set href(url) { console.log('location:', new URL(url).href); } } };
globalThis.document = { set cookie(text) { console.log('cookie:', text); } };
globalThis.localStorage = { setItem: (name, value) => console.log('stored:', name, value) };
globalThis.jwt = 'a-jwt';
`;

describe('api-auth: the published page', () => {
  let api: PublishedApi;
  let clock: TestClock;
  let client: TestClient;
  let user: Awaited<ReturnType<typeof signedIn>>;

  before(async function () {
    clock = createTestClock();
    api = await publish(this, { dialect: 'api-auth', protect: '/v1/users', require: 'scope=read', harness: { clock } });
    client = await createClient(api.harness, {
      authMethod: 'client_secret_post',
      requirePkce: false,
      redirectUris: [CALLBACK],
      scopes: ['read', 'write'],
      resources: [api.harness.issuer],
    });
    user = await signedIn(api.harness);
  });
  after(() => api?.close());
  // The clock moves on between tests.
  beforeEach(async () => {
    user.token = await tokenOf(api.harness, user);
  });

  const send = (method: string, path: string, body?: object, headers = {}): Promise<Reply> =>
    json(api.harness, method, path, body, headers);
  async function bash(
    heading: string,
    substitutes: Record<string, string>,
    { number, env = {} }: { number?: number; env?: Record<string, string> } = {},
  ): Promise<Exchange[]> {
    const text = snippetOf(PAGE, 'bash', heading, number);
    return api.run.bash(substituted(text, { [HOST]: api.url, ...substitutes }), env);
  }
  const users = (credential: string) => api.fetch(`${api.url}/v1/users`, { headers: bearer(credential) });

  /** The documented envelope of an error, with the page's words for it. */
  function expectError(reply: Pick<Reply, 'status' | 'text'>, error: string, message?: string): void {
    const row = tableOf(PAGE, 'Common Authentication Errors').find((cells) => cells[1] === error);
    const body = JSON.parse(reply.text) as Record<string, unknown>;
    expect(body).to.have.all.keys('error', 'message', 'code', 'timestamp');
    expect({ status: reply.status, error: body.error, code: body.code }).to.deep.equal({
      status: Number(row?.[0]),
      error,
      code: Number(row?.[0]),
    });
    expect(body.message).to.equal(message ?? row?.[2]);
    expect(body.timestamp).to.match(TIME);
  }
  const received = async (reply: Response): Promise<Pick<Reply, 'status' | 'text'>> => ({
    status: reply.status,
    text: await reply.text(),
  });
  /** The message of the page's example of an error body. */
  const messageIn = (heading: string): string => JSON.parse(snippetOf(PAGE, 'json', heading)).message;
  const INVALID = messageIn('Example Error Response');
  const EXPIRED = messageIn('Token Validation');

  describe('API keys', () => {
    it('work by Bearer', async () => {
      const { key, id } = await apiKeyOf(api.harness, user);
      const [reply] = await bash('Using API Keys', { YOUR_API_KEY: key });
      expect(reply?.status).to.equal(200);
      expect(api.arrivals.at(-1)?.headers).to.include({ 'x-auth-key-id': id, 'x-auth-subject': user.id });
    });

    it('work from the environment', async () => {
      const { key } = await apiKeyOf(api.harness, user);
      const [reply] = await bash('API Key Best Practices', { your_api_key_here: key });
      expect(reply?.status).to.equal(200);
    });

    it('stand in the Authorization header only', async () => {
      const { key } = await apiKeyOf(api.harness, user);
      expect((await api.fetch(`${api.url}/v1/users`, { headers: { 'x-api-key': key } })).status).to.equal(401);
    });
  });

  describe('OAuth 2.0', () => {
    const FLOW = snippetOf(PAGE, 'javascript', 'Example: Authorization Code Flow');
    const credentials = (): Record<string, string> => ({
      [HOST]: api.url,
      YOUR_CLIENT_ID: client.id,
      YOUR_CLIENT_SECRET: client.secret ?? '',
    });
    const REFRESH = snippetOf(PAGE, 'javascript', 'Refresh Tokens');

    /** The page's block runs as a whole, so a person must sign in between two runs of it. */
    async function flow(): Promise<{ access_token: string; refresh_token: string; expires_in: number }> {
      const first = await api.run.javascript(substituted(FLOW, credentials()), { prelude: BROWSER });
      expect(
        first.exchanges.map(({ status }) => status),
        'AUTH_CODE is no code',
      ).to.deep.equal([400, 401]);
      const address = /^location: (.+)$/m.exec(first.output)?.[1] ?? '';
      const page = await new Browser(api.harness).complete(address, user);
      expect(page.callback?.href).to.match(/^https:\/\/yourapp\.com\/callback\?code=/);
      const code = page.answer.get('code') ?? '';
      const text = substituted(FLOW, { ...credentials(), "'AUTH_CODE'": `'${code}'` });
      const { exchanges } = await api.run.javascript(text, { prelude: BROWSER });
      const [token, answered] = exchanges;
      expect([token?.status, answered?.status], token?.text).to.deep.equal([200, 200]);
      const tokens = token?.json();
      for (const name of ['access_token', 'refresh_token']) api.harness.keepSecret(tokens[name]);
      return tokens;
    }

    it('the code flow of the page works: confidential, JSON, without PKCE', async () => {
      const tokens = await flow();
      expect(tokens.refresh_token).to.be.a('string');
      expect(api.arrivals.at(-1)?.headers).to.include({
        'x-auth-subject': user.id,
        'x-auth-scopes': 'read write',
        'x-auth-method': 'access_token',
      });
    });

    it('access tokens expire after 1 hour, and refresh tokens get new ones', async () => {
      const { access_token: old, refresh_token: refreshToken, expires_in: expiresIn } = await flow();
      expect(expiresIn).to.equal(3600);
      const { exchanges } = await api.run.javascript(
        substituted(REFRESH, { ...credentials(), YOUR_REFRESH_TOKEN: refreshToken }),
      );
      expect(exchanges[0]?.status, exchanges[0]?.text).to.equal(200);
      const { access_token: fresh, refresh_token: next } = (exchanges[0] as Exchange).json();
      for (const secret of [fresh, next]) api.harness.keepSecret(secret);
      expect(fresh).not.to.equal(old);
      expect((await users(fresh)).status).to.equal(200);
      clock.advance(3601);
      expectError(await received(await users(old)), 'token_expired', EXPIRED);
    });
  });

  describe('JWT', () => {
    const login = async (substitutes = { 'user@example.com': user.email, your_password: user.password }) =>
      (await bash('Getting a JWT', substitutes))[0] as Exchange;

    it('comes with the members of the page', async () => {
      const documented = JSON.parse(snippetOf(PAGE, 'json', 'Getting a JWT')) as object;
      const reply = await login();
      expect(reply.status, reply.text).to.equal(200);
      const body = reply.json();
      api.harness.keepSecret(body.refresh_token);
      expect(Object.keys(body)).to.deep.equal(Object.keys(documented));
      expect(body.token).to.match(/^eyJ/);
      expect(body.expires_at).to.match(TIME);
      expect(Date.parse(body.expires_at) - clock.nowMs()).to.be.within(3_590_000, 3_600_000);

      const [used] = await bash('Using JWTs', { [JWT]: body.token });
      expect(used?.status).to.equal(200);
      expect(api.arrivals.at(-1)?.headers).to.include({ 'x-auth-method': 'login', 'x-auth-subject': user.id });
    });

    it('that has expired gets the documented error, and the refresh token a new one', async () => {
      const { token, refresh_token: refreshToken } = (await login()).json();
      clock.advance(3601);
      expectError(await received(await users(token)), 'token_expired', EXPIRED);
      const refreshed = good(await send('POST', '/v1/auth/refresh', { refresh_token: refreshToken }));
      expect(Object.keys(refreshed)).to.deep.equal(['token', 'expires_at', 'refresh_token']);
      expect((await users(refreshed.token)).status).to.equal(200);
    });
  });

  describe('GET /v1/auth/verify', () => {
    it('answers for an API key and for a JWT as the page expects', async () => {
      const expected = JSON.parse(snippetOf(PAGE, 'json', 'Expected Response')) as object;
      const { key } = await apiKeyOf(api.harness, user);
      const { token } = good(await send('POST', '/v1/auth/login', { username: user.email, password: user.password }));
      const replies = await bash('Using cURL', { YOUR_API_KEY: key, YOUR_JWT_TOKEN: token });
      expect(replies).to.have.length(2);
      for (const reply of replies) {
        expect(reply.status).to.equal(200);
        const body = reply.json();
        expect(Object.keys(body)).to.deep.equal(Object.keys(expected));
        expect(body).to.include({ authenticated: true, user_id: user.id });
        expect(body.scopes).to.include.members(['read', 'write']);
        expect(body.expires_at).to.match(TIME);
      }
    });
  });

  describe('the documented errors', () => {
    it('invalid_token: malformed, forged, unknown, revoked, expired key: always the same', async () => {
      const { key, id } = await apiKeyOf(api.harness, user);
      const expired = await apiKeyOf(api.harness, user, { expires_in_days: 1 });
      user.token = await tokenOf(api.harness, user);
      good(await send('DELETE', `/v1/api-keys/${id}`, undefined, bearer(user.token)));
      clock.advance(86_401);
      user.token = await tokenOf(api.harness, user);
      for (const credential of [
        key,
        expired.key,
        'YOUR_API_KEY',
        'eyJhbGciOiJub25lIn0.e30.',
        `${user.token.slice(0, -6)}AAAAAA`,
      ]) {
        expectError(await received(await users(credential)), 'invalid_token', INVALID);
        expectError(await send('GET', '/v1/auth/verify', undefined, bearer(credential)), 'invalid_token', INVALID);
      }
      expectError(await received(await api.fetch(`${api.url}/v1/users`)), 'invalid_token', INVALID);
    });

    it('invalid_credentials: a wrong password and an unknown name look the same', async () => {
      for (const username of [user.email, 'nobody@example.com']) {
        const reply = await send('POST', '/v1/auth/login', { username, password: 'wrong' });
        expectError(reply, 'invalid_credentials');
      }
    });

    it('insufficient_scope', async () => {
      const { key } = await apiKeyOf(api.harness, user, { scopes: ['write'] });
      expectError(await received(await users(key)), 'insufficient_scope');
    });

    it('rate_limit_exceeded, with Retry-After, from the 1001st request of a key within the hour', async () => {
      const { key } = await apiKeyOf(api.harness, user);
      const began = Date.now();
      const batches = Array.from({ length: 20 }, () => Array.from({ length: 50 }, () => bearer(key)));
      for (const batch of batches) {
        const replies = await Promise.all(batch.map((headers) => api.harness.get('/forward-auth', headers)));
        expect(replies.map(({ status }) => status)).not.to.include(429);
      }
      let reply = await users(key);
      let beyond = 0;
      for (; reply.status === 200; beyond += 1) reply = await users(key);
      // One is given back every 3.6 seconds.
      expect(beyond).to.be.at.most(Math.ceil((Date.now() - began) / 3600));
      expect(Number(reply.headers.get('retry-after'))).to.be.within(1, 4);
      expectError(await received(reply), 'rate_limit_exceeded');
    });
  });

  it('limits each method of authentication to the requests of the page', async () => {
    const documented = Array.from(PAGE.matchAll(/^- \*\*(.+)\*\*: (\d+) requests\/hour$/gm), ([, name, quota]) => [
      name,
      Number(quota),
    ]);
    const { key } = await apiKeyOf(api.harness, user);
    const oauth = await createClient(api.harness, {
      grantTypes: ['client_credentials'],
      scopes: ['read'],
      resources: [api.harness.issuer],
    });
    const basicAuth = `Basic ${Buffer.from(`${oauth.id}:${oauth.secret}`).toString('base64')}`;
    const token = good(
      await api.harness.post('/oauth/token', { grant_type: 'client_credentials' }, { authorization: basicAuth }),
    );
    const policyOf = async (credential: string): Promise<number> => {
      const reply = await api.harness.get('/v1/auth/verify', bearer(credential));
      expect(reply.headers['x-ratelimit-limit']).to.equal(
        /q=(\d+)/.exec(String(reply.headers['ratelimit-policy']))?.[1],
      );
      expect(reply.headers['ratelimit-policy']).to.match(/w=3600/);
      return Number(reply.headers['x-ratelimit-limit']);
    };
    expect([
      ['API Keys', await policyOf(key)],
      ['OAuth', await policyOf(token.access_token)],
      ['JWT', await policyOf(user.token)],
    ]).to.deep.equal(documented);
  });

  it('its advice on storing tokens runs', async () => {
    const { output } = await api.run.javascript(snippetOf(PAGE, 'javascript', 'Token Handling'), { prelude: BROWSER });
    expect(output).to.include('cookie: token=a-jwt; Secure; HttpOnly; SameSite=Strict');
  });

  describe('bad input', () => {
    it('a key in the URL is refused and recorded', async () => {
      const { key, id } = await apiKeyOf(api.harness, user);
      const reply = await api.fetch(`${api.url}/v1/users?access_token=${key}`);
      expect(reply.status).to.equal(400);
      expect(await reply.json()).to.have.all.keys('error', 'message', 'code', 'timestamp');
      const [event] = await api.harness.services.stores.audit.list({ type: 'credential.exposed', limit: 1 });
      expect(event?.details).to.include({ keyId: id });
    });

    it('Authorization that is repeated is refused', async () => {
      const { key } = await apiKeyOf(api.harness, user);
      const reply = await api.harness.send('/v1/auth/verify', {
        headers: { authorization: [`Bearer ${key}`, `Bearer ${user.token}`] },
      });
      expect(reply.status).to.equal(400);
    });

    it('a key of one environment does not pass for another', async () => {
      const { key } = await apiKeyOf(api.harness, user, { environment: 'test' });
      expectError(
        await send('GET', '/v1/auth/verify?environment=live', undefined, bearer(key)),
        'invalid_token',
        INVALID,
      );
    });

    it('names wrong members in the envelope', async () => {
      for (const [body, field] of [
        [{ username: 'a@example.com' }, 'password'],
        [{ username: 1, password: 'x' }, 'username'],
        [{ username: 'a@example.com', password: 'x', remember: true }, 'remember'],
      ] as [object, string][]) {
        const reply = await send('POST', '/v1/auth/login', body);
        expect(reply.json()).to.include({ error: 'invalid_request', code: 400 });
        expect(reply.json().fields[0].field).to.equal(field);
      }
      const form = await api.harness.post('/v1/auth/login', { username: user.email, password: 'x' });
      expect(form.json()).to.include({ error: 'unsupported_media_type', code: 415 });
    });
  });

  // Last, for it looks at what the tests above have asked for.
  describe('the page', () => {
    it('has no example that was not run', () => {
      expect(unusedSnippets(PAGE)).to.deep.equal([]);
    });
  });
});
