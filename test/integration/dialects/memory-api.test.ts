import { expect } from 'chai';
import { createTestClock, type Reply, type TestClock } from '../../support/harness.ts';
import { type Exchange, snippetOf, substituted, tableOf, unusedSnippets } from '../../support/snippets.ts';
import { apiKeyOf, bearer, good, json, type PublishedApi, pageOf, publish, signedIn } from './published-api.ts';

const PAGE = pageOf('memory-api');
const HOST = 'https://api.memory-api.com';
const KEY = 'mem_live_abc123...';
const DAY = 86_400;

describe('memory-api: the published page', () => {
  let api: PublishedApi;
  let clock: TestClock;
  /** A key that manages keys, got the only way the page leaves open: by signing up. */
  let adminKey: string;
  let adminKeyId: string;

  before(async function () {
    clock = createTestClock();
    api = await publish(this, {
      ...{ dialect: 'memory-api', protect: '/v1/memories', harness: { clock } },
      // The product serves sandbox keys too, and looks at X-Auth-Environment.
      require: 'environment=*',
    });
    const made = await json(api.harness, 'POST', '/signup', {
      email: 'new@example.com',
      password: 'a long enough password',
    });
    api.harness.keepSecret('a long enough password');
    ({ api_key: adminKey, api_key_id: adminKeyId } = good(made));
    api.harness.keepSecret(adminKey);
  });
  after(() => api?.close());

  const send = (method: string, path: string, body?: object, headers = {}): Promise<Reply> =>
    json(api.harness, method, path, body, headers);

  async function run(heading: string, substitutes: Record<string, string> = {}, key = adminKey): Promise<Exchange> {
    const text = substituted(snippetOf(PAGE, 'bash', heading), { [HOST]: api.url, ...substitutes });
    const [reply, ...others] = await api.run.bash(text, { API_KEY: key });
    if (!reply || others.length > 0) throw new Error(`not one answer:\n${text}`);
    const made = reply.status < 300 && reply.text.includes('"key"') ? reply.json().key : null;
    api.harness.keepSecret(made);
    return reply;
  }

  it('is open without a key at /health and /signup, and nowhere else', async () => {
    expect((await api.fetch(`${api.url}/health`)).status).to.equal(200);
    expect(adminKey).to.match(/^mem_live_[0-9A-Za-z]{54}$/);
    expect(adminKeyId).to.match(/^key_/);
    for (const path of ['/v1/memories', '/v1/account/api-keys']) {
      expect((await api.fetch(api.url + path)).status, path).to.equal(401);
    }
  });

  describe('using a key', () => {
    it('works in the Authorization header and in X-API-Key', async () => {
      for (const heading of ['Authorization Header (Recommended)', 'X-API-Key Header']) {
        const reply = await run(heading, { [KEY]: adminKey });
        expect(reply.status, heading).to.equal(200);
        expect(api.arrivals.at(-1)?.url).to.equal('/v1/memories');
        expect(api.arrivals.at(-1)?.headers['x-auth-key-id']).to.equal(adminKeyId);
      }
    });

    it('tells production keys from sandbox keys, also to the bill', async () => {
      const user = await signedIn(api.harness);
      const live = await apiKeyOf(api.harness, user, { environment: 'live' });
      const test = await apiKeyOf(api.harness, user, { environment: 'test' });
      expect([live.key.slice(0, 9), test.key.slice(0, 9)]).to.deep.equal(['mem_live_', 'mem_test_']);
      for (const { key } of [live, test, test]) await run('X-API-Key Header', { [KEY]: key });
      expect(api.arrivals.at(-1)?.headers['x-auth-environment']).to.equal('test');
      await api.harness.services.usage.flush();
      const { totals } = good(await send('GET', '/v1/usage', undefined, bearer(user.token)));
      expect(totals).to.include({ allowed: 3, billable: 1, free: 2 });
    });

    it('comes from the environment in Python and JavaScript', async () => {
      const dotenv = snippetOf(PAGE, 'bash', 'Environment Variables');
      const MEMORY_API_KEY = /^MEMORY_API_KEY=(.+)$/m.exec(
        substituted(dotenv, { mem_live_your_key_here: adminKey }),
      )?.[1];
      const env = { MEMORY_API_KEY: MEMORY_API_KEY ?? '' };
      const python = await api.run.python(`${snippetOf(PAGE, 'python', 'Environment Variables')}\nprint(api_key)`, {
        env,
      });
      expect(python.trim()).to.equal(adminKey);
      const javascript = `${snippetOf(PAGE, 'javascript', 'Environment Variables')}\nconsole.log(apiKey);`;
      expect((await api.run.javascript(javascript, { env })).output.trim()).to.equal(adminKey);
    });
  });

  describe('managing keys', () => {
    it('lists them, without their secrets', async () => {
      const reply = await run('List Keys');
      expect(reply.status).to.equal(200);
      const [key] = reply.json().data;
      expect(key).to.include({ id: adminKeyId, environment: 'live', last_four: adminKey.slice(-4) });
      expect(reply.text).not.to.include(adminKey);
    });

    it('creates one with a name, an environment and scopes', async () => {
      const reply = await run('Create a New Key');
      expect(reply.status).to.equal(201);
      expect(reply.json()).to.deep.include({
        name: 'Production Server',
        environment: 'live',
        scopes: ['read', 'write'],
      });
      expect(reply.json().key).to.match(/^mem_live_/);
      expect(reply.json().id).to.match(/^key_/);
      expect(reply.json().expires_at).to.equal(null);
    });

    it('creates a read-only one, from JSON under the content type of a form, as curl -d sends it', async () => {
      const reply = await run('Example: Read-Only Key');
      expect(reply.status).to.equal(201);
      expect(reply.json()).to.deep.include({ name: 'Analytics', scopes: ['read'] });
    });

    it('creates one that expires by itself', async () => {
      const reply = await run('Key Expiration');
      expect(reply.status).to.equal(201);
      const { key, created_at: createdAt, expires_at: expiresAt } = reply.json();
      expect(Date.parse(expiresAt) - Date.parse(createdAt)).to.equal(30 * DAY * 1000);
      expect((await run('X-API-Key Header', { [KEY]: key })).status).to.equal(200);
      clock.advance(30 * DAY + 10);
      expect((await run('X-API-Key Header', { [KEY]: key })).status).to.equal(401);
    });

    it('revokes one by its id', async () => {
      const made = (await run('Create a New Key')).json();
      const reply = await run('Revoke a Key', { key_abc123: made.id });
      expect(reply.status).to.equal(200);
      expect(reply.json()).to.include({ id: made.id, state: 'revoked' });
      expect((await run('X-API-Key Header', { [KEY]: made.key })).status).to.equal(401);
      expect((await run('Revoke a Key', { key_abc123: 'key_abc123' })).status).to.equal(404);
    });

    it('takes a key with the scope admin, of the same account', async () => {
      const { key: plain } = (await run('Create a New Key')).json();
      expect((await run('List Keys', {}, plain)).status).to.equal(403);
      const stranger = await apiKeyOf(api.harness, await signedIn(api.harness), { scopes: ['admin'] });
      expect((await run('Revoke a Key', { key_abc123: adminKeyId }, stranger.key)).status).to.equal(404);
      expect((await run('List Keys')).json().data.find((key: { id: string }) => key.id === adminKeyId).state).to.equal(
        'active',
      );
    });
  });

  describe('scopes', () => {
    it('are those of the page, and admin has all of them', async () => {
      const documented = tableOf(PAGE, 'Scopes').map(([scope = '']) => scope);
      const user = await signedIn(api.harness);
      const admin = await apiKeyOf(api.harness, user, { scopes: ['admin'] });
      for (const scope of documented) {
        const { key } = await apiKeyOf(api.harness, user, { scopes: [scope] });
        for (const wanted of documented) {
          const ask = (credential: string) =>
            api.harness.get(`/forward-auth?scope=${wanted}`, bearer(credential)).then(({ status }) => status);
          expect(await ask(key), `${scope} for ${wanted}`).to.equal(scope === wanted || scope === 'admin' ? 200 : 403);
          expect(await ask(admin.key)).to.equal(200);
        }
      }
    });

    it('that the page does not have are refused', async () => {
      const reply = await send('POST', '/v1/account/api-keys', { name: 'x', scopes: ['root'] }, bearer(adminKey));
      expect(reply.status).to.equal(400);
    });
  });

  describe('bad input', () => {
    const PATH = '/v1/account/api-keys';

    it('a sandbox key never passes where a production key is required, nor the reverse', async () => {
      const user = await signedIn(api.harness);
      const live = await apiKeyOf(api.harness, user, { environment: 'live' });
      const test = await apiKeyOf(api.harness, user, { environment: 'test' });
      const ask = (environment: string, key: string) =>
        api.harness.get(`/forward-auth?environment=${environment}`, bearer(key)).then(({ status }) => status);
      expect(await ask('live', live.key)).to.equal(200);
      expect(await ask('live', test.key)).to.equal(401);
      expect(await ask('test', live.key)).to.equal(401);
      const asLive = test.key.replace('mem_test_', 'mem_live_');
      expect(await ask('live', asLive)).to.equal(401);
      // Who names none means production; a sandbox says so.
      expect((await api.harness.get('/forward-auth', bearer(test.key))).status).to.equal(401);
      expect(await ask('*', test.key)).to.equal(200);
    });

    it('malformed, unknown, expired, revoked and wrong-environment keys get one answer', async () => {
      const user = await signedIn(api.harness);
      const make = (given: object) => apiKeyOf(api.harness, user, given);
      const [expired, revoked, test] = [
        await make({ expires_in_days: 1 }),
        await make({}),
        await make({ environment: 'test', expires_in_days: 365 }),
      ];
      good(await send('DELETE', `${PATH}/${revoked.id}`, undefined, bearer(user.token)));
      clock.advance(DAY + 10);
      const answers = new Set<string>();
      for (const key of [expired.key, revoked.key, test.key, 'mem_live_abc123', 'nonsense']) {
        const { status, text } = await api.harness.get('/forward-auth?environment=live', bearer(key));
        answers.add(`${status} ${text.replace(/req_\w+|"request_id":"[^"]*"/g, '')}`);
      }
      expect([...answers]).to.have.length(1);
      expect([...answers][0]).to.match(/^401 /);
    });

    it('two different credentials, or a key in the URL, are refused', async () => {
      const other = await apiKeyOf(api.harness, await signedIn(api.harness));
      const two = await api.fetch(`${api.url}/v1/memories`, {
        headers: { ...bearer(adminKey), 'x-api-key': other.key },
      });
      expect(two.status).to.equal(400);
      const inUrl = await api.fetch(`${api.url}/v1/memories?key=${adminKey}`, { headers: bearer(adminKey) });
      expect(inUrl.status).to.equal(400);
    });

    it('unknown members and wrong types are named, and nothing is made', async () => {
      const count = async (): Promise<number> => (await run('List Keys')).json().data.length;
      const before = await count();
      const wrong: [object, string][] = [
        [{ name: 'x', color: 'red' }, 'color'],
        [{ name: 7 }, 'name'],
        [{}, 'name'],
        [{ name: 'x', expires_in_days: '30' }, 'expires_in_days'],
        [{ name: 'x', expires_in_days: 0 }, 'expires_in_days'],
        [{ name: 'x', environment: 'staging' }, 'environment'],
        [{ name: 'x', scopes: 'read' }, 'scopes'],
        [{ name: 'x'.repeat(121) }, 'name'],
      ];
      for (const [body, field] of wrong) {
        const reply = await send('POST', PATH, body, bearer(adminKey));
        expect(reply.status, JSON.stringify(body)).to.equal(400);
        expect(reply.json().fields?.[0]?.field, JSON.stringify(body)).to.equal(field);
      }
      expect(await count()).to.equal(before);
    });

    it('a form takes JSON on this page only where the page sends it', async () => {
      const reply = await api.harness.send('/v1/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: '{"email":"new@example.com","password":"x"}',
      });
      expect(reply.status).to.equal(415);
    });
  });

  // Last, for it looks at what the tests above have asked for.
  describe('the page', () => {
    it('has no example that was not run', () => {
      expect(unusedSnippets(PAGE)).to.deep.equal([]);
    });
  });
});
