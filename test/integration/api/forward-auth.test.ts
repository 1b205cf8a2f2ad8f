import { expect } from 'chai';
import { auditOf, call, good, type MadeKey, newKey, newPerson, type Person, signIn } from '../../support/api-client.ts';
import { API, createAccount, createClient, obtainTokens } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const IDENTITY = [
  'x-auth-subject',
  'x-auth-subject-type',
  'x-auth-client',
  'x-auth-key-id',
  'x-auth-namespace',
  'x-auth-environment',
  'x-auth-scopes',
  'x-auth-audience',
  'x-auth-method',
];

describe('forward-auth', () => {
  /** Its callers are trusted proxies. */
  let harness: Harness;
  /** Its callers are anybody. */
  let exposed: Harness;
  let ada: Person;
  let key: MadeKey;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
    exposed = await startHarness();
    ada = await newPerson(harness);
    key = await newKey(harness, ada, { scopes: ['read', 'write'] });
  });
  after(async () => {
    await harness?.[Symbol.asyncDispose]();
    await exposed?.[Symbol.asyncDispose]();
  });

  const ask = (query = '', headers: Record<string, string> = {}, method = 'GET', at = harness): Promise<Reply> =>
    at.send(`/forward-auth${query}`, { method, headers });
  const withKey = (): { 'x-api-key': string } => ({ 'x-api-key': key.key });

  it('says who it is in headers, of which every one is always there', async () => {
    const { headers, status, text } = await ask('', withKey());
    expect([status, text]).to.deep.equal([200, '']);
    expect(headers).to.include({
      'x-auth-subject': ada.id,
      'x-auth-subject-type': 'user',
      'x-auth-client': '',
      'x-auth-key-id': key.id,
      'x-auth-namespace': key.namespace,
      'x-auth-environment': 'live',
      'x-auth-scopes': 'read write',
      'x-auth-audience': '',
      'x-auth-method': 'api_key',
      'x-auth-status': '200',
    });
    // A proxy that copies them overwrites what the caller sent under these names, whatever the answer is.
    const forged = Object.fromEntries(IDENTITY.map((name) => [name, 'admin']));
    for (const reply of [
      await ask('', forged),
      await ask('', { ...forged, 'x-api-key': 'garbage' }),
      await ask('?nonsense=1', { ...forged, ...withKey() }),
      await ask('?scope=manage', { ...forged, ...withKey() }),
      await ask(`?provider=openai`, { ...forged, ...withKey() }),
    ]) {
      expect(reply.status).to.be.greaterThan(399);
      for (const name of IDENTITY) expect(reply.headers[name], name).to.equal('');
      expect(reply.headers['x-auth-status']).to.equal(String(reply.status));
    }
  });

  it('answers every method alike, and reads no body', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'QUERY', 'REPORT']) {
      expect((await ask('', withKey(), method)).status, method).to.equal(200);
      expect((await ask('', {}, method)).status, method).to.equal(401);
    }
    const head = await ask('', withKey(), 'HEAD');
    expect([head.status, head.text, head.headers['x-auth-subject']]).to.deep.equal([200, '', ada.id]);
    const body = await harness.send('/forward-auth', { method: 'POST', headers: withKey(), body: 'x'.repeat(200_000) });
    expect(body.status).to.equal(200);
  });

  it('requires what the configuration of the proxy says, and nothing it does not know', async () => {
    const cases: [string, number][] = [
      ['?scope=read', 200],
      ['?scope=read&scope=write', 200],
      ['?scope=read%20write', 200],
      ['?scope=read+manage', 403],
      ['?environment=live', 200],
      ['?environment=test', 401],
      ['?audience=https://api.example.com', 200],
      ['?scope=read&environment=live', 200],
      ['?scopes=manage', 400],
      ['?environment=live&environment=test', 400],
      ['?mode=apache', 400],
      ['?__proto__=x', 400],
    ];
    for (const [query, status] of cases) expect((await ask(query, withKey())).status, query).to.equal(status);
  });

  it('takes tokens for our own API unless the proxy names another audience, or any', async () => {
    const web = await createClient(harness, { resources: [API, harness.issuer] });
    const tokenFor = async (resource: string): Promise<string> =>
      (await obtainTokens(harness, web, { who: ada, scope: 'openid read', resource })).access_token;
    const [own, other] = [await tokenFor(harness.issuer), await tokenFor(API)];
    const plain = (await obtainTokens(harness, web, { who: ada, scope: 'openid' })).access_token;
    const cases: [string, string, number][] = [
      [own, '', 200],
      [other, '', 401],
      [plain, '', 401],
      [ada.token, '', 200],
      [other, `?audience=${API}`, 200],
      [own, `?audience=${API}`, 401],
      [other, `?audience=${API}&audience=${harness.issuer}`, 200],
      [other, '?audience=*', 200],
    ];
    for (const [index, [value, query, status]] of cases.entries()) {
      expect((await ask(query, { authorization: `Bearer ${value}` })).status, String(index)).to.equal(status);
    }
  });

  it('lets nginx pass on every refusal: as 401 or 403, with the answer it stands for', async () => {
    const cases: [string, Record<string, string>, number, number][] = [
      ['', {}, 401, 401],
      ['&scope=manage', withKey(), 403, 403],
      ['', { 'x-api-key': key.key, authorization: 'Bearer other' }, 403, 400],
      ['&nonsense=1', withKey(), 403, 400],
    ];
    for (const [query, headers, status, meant] of cases) {
      const reply = await ask(`?mode=nginx${query}`, headers);
      expect([reply.status, reply.headers['x-auth-status']], query).to.deep.equal([status, String(meant)]);
      const body = JSON.parse(String(reply.headers['x-auth-error']));
      expect(body.status).to.equal(meant);
      expect(reply.headers['x-auth-error']).to.match(/^[\x20-\x7e]+$/);
    }
    expect((await ask('?mode=nginx', withKey())).status).to.equal(200);
    const limited = await newKey(harness, ada, { limit: { quota: 1, window_seconds: 3600 } });
    const headers = { 'x-api-key': limited.key };
    expect((await ask('?mode=nginx', headers)).status).to.equal(200);
    const refused = await ask('?mode=nginx', headers);
    expect([refused.status, refused.headers['x-auth-status']]).to.deep.equal([403, '429']);
    expect(Number(refused.headers['retry-after'])).to.be.greaterThan(0);
    expect(refused.headers.ratelimit).to.match(/^"key";r=0;t=\d+$/);
    // Proxies that can pass on a 429 get one.
    expect((await ask('', headers)).status).to.equal(429);
  });

  it('refuses and records a credential in the URL of the original request', async () => {
    const own = await newKey(harness, ada);
    const uri = `/items?x=1&whatever=${own.key}`;
    for (const [query, headers] of [
      ['?mode=nginx', { 'x-original-uri': uri }],
      ['', { 'x-forwarded-uri': uri }],
      ['', { 'x-forwarded-uri': `//[${uri}` }],
      ['', { 'x-forwarded-uri': `//elsewhere.example${uri}` }],
    ] as const) {
      const reply = await ask(query, { ...headers, ...withKey() });
      expect(reply.headers['x-auth-status'], JSON.stringify(headers)).to.equal('400');
    }
    const events = await auditOf(harness, 'credential.exposed');
    expect(events.filter(({ details }) => details.keyId === own.id)).to.have.length(1);
    expect((await ask('?mode=nginx', { 'x-original-uri': '/items?page=2', ...withKey() })).status).to.equal(200);
  });

  it('believes a trusted proxy about the original request, and nobody else', async () => {
    const eve = await newPerson(exposed);
    const evesKey = await newKey(exposed, eve);
    const uri = { 'x-original-uri': `/?api_key=${evesKey.key}`, 'x-forwarded-uri': `/?api_key=${evesKey.key}` };
    const reply = await ask('?mode=nginx', { ...uri, 'x-api-key': evesKey.key }, 'GET', exposed);
    expect(reply.status).to.equal(200);
    expect(await auditOf(exposed, 'credential.exposed')).to.deep.equal([]);
  });

  it('takes its requirements from the query or from X-Gatehouse-Require, never from both', async () => {
    const both = { ...withKey(), 'x-gatehouse-require': 'scope=read' };
    expect((await ask('?scope=manage', both)).status).to.equal(400);
    expect((await ask('', both)).status).to.equal(400);
    expect((await ask('/things', both)).status).to.equal(200);
    expect((await ask('/things', { ...both, 'x-gatehouse-require': 'scope=manage' })).status).to.equal(403);
  });

  it('lets trusted proxies ask in the way of Envoy, and nobody else', async () => {
    const eve = await newPerson(exposed);
    const evesKey = await newKey(exposed, eve);
    for (const path of ['/', '/things', '/things?x=1']) {
      expect((await ask(path, withKey())).status, path).to.equal(200);
      const reply = await ask(path, { 'x-api-key': evesKey.key }, 'GET', exposed);
      expect([path, reply.status, reply.headers['x-auth-subject'] || '']).to.deep.equal([path, 404, '']);
    }
  });

  it('reads what its own kind of proxy sets: a caller cannot tell it of another request', async () => {
    const person = await signIn(harness, await createAccount(harness));
    const login = await call(harness, 'POST /v1/auth/login', {
      body: { email: person.email, password: person.password, mode: 'cookies' },
      headers: { origin: harness.issuer },
    });
    const cookie = login.cookies.map((line) => line.split(';')[0]).join('; ');
    const post = { cookie, 'sec-fetch-site': 'cross-site' };
    // nginx says POST; the caller added what Traefik would say of a GET, and the reverse.
    const asNginx = { ...post, 'x-original-method': 'POST', 'x-forwarded-method': 'GET' };
    expect((await ask('?mode=nginx', asNginx)).status).to.equal(401);
    const asTraefik = { ...post, 'x-forwarded-method': 'POST', 'x-original-method': 'GET' };
    expect((await ask('', asTraefik)).status).to.equal(401);
    expect((await ask('?mode=nginx', { ...post, 'x-original-method': 'GET' })).status).to.equal(200);
    expect((await ask('?mode=nginx', { ...asNginx, 'sec-fetch-site': 'same-origin' })).status).to.equal(200);
  });

  it('lets its answer be kept for a moment, for each credential apart, and not when a limit counts', async () => {
    const fresh = await newKey(harness, ada);
    const reply = await ask('', { 'x-api-key': fresh.key });
    expect(reply.headers['cache-control']).to.match(/^private, max-age=[45]$/);
    expect(reply.headers.vary?.toLowerCase()).to.contain('x-api-key');
    const limited = await newKey(harness, ada, { limit: { quota: 10, window_seconds: 60 } });
    expect((await ask('', { 'x-api-key': limited.key })).headers['cache-control']).to.equal('no-store');
    expect((await ask('', {})).headers['cache-control']).to.equal('no-store');
  });

  it('refuses a revoked key at once', async () => {
    const gone = await newKey(harness, ada);
    expect((await ask('', { 'x-api-key': gone.key })).status).to.equal(200);
    await good(call(harness, `DELETE /v1/api-keys/${gone.id}`, { as: ada.token }));
    expect((await ask('', { 'x-api-key': gone.key })).status).to.equal(401);
  });
});
