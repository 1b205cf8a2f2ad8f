import { expect } from 'chai';
import { createTestClock, type Reply, type TestClock } from '../../support/harness.ts';
import { requestLine, snippetOf, substituted, tableOf, unusedSnippets } from '../../support/snippets.ts';
import { apiKeyOf, bearer, good, json, type PublishedApi, pageOf, publish, signedIn } from './published-api.ts';

const PAGE = pageOf('openmemoryx');
const HOST = 'https://t0ken.ai';
const JWT = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...';
const PASSWORD = 'a long enough password';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** An error of the page's table, as it is answered. */
function documented(error: string): object {
  const row = tableOf(PAGE, 'Authentication Errors').find((cells) => cells[1] === error);
  if (!row) throw new Error(`the page does not document ${error}`);
  return { status: Number(row[0]), body: { error, description: row[2] } };
}
const errorOf = ({ status, text }: Pick<Reply, 'status' | 'text'>): object => ({ status, body: JSON.parse(text) });

describe('openmemoryx: the published page', () => {
  let api: PublishedApi;
  let clock: TestClock;

  before(async function () {
    clock = createTestClock();
    api = await publish(this, {
      dialect: 'openmemoryx',
      protect: '/api/v1/',
      require: 'scope=read',
      harness: { clock },
    });
  });
  after(() => api?.close());

  const send = (method: string, path: string, body?: object, headers = {}): Promise<Reply> =>
    json(api.harness, method, path, body, headers);
  /** The request with which the page reads memories, by this key. */
  const memoriesBy = async (key: string) => {
    const [reply] = await api.run.bash(
      substituted(snippetOf(PAGE, 'bash', 'Using API Keys'), { [HOST]: api.url, omx_your_api_key_here: key }),
    );
    if (!reply) throw new Error('curl got no answer');
    return reply;
  };
  /** The request with which the page asks who it is, by this token. */
  const meBy = async (token: string) => {
    const [reply] = await api.run.bash(
      substituted(snippetOf(PAGE, 'bash', 'Using the Token'), { [HOST]: api.url, [JWT]: token }),
    );
    if (!reply) throw new Error('curl got no answer');
    return reply;
  };

  describe('JWT', () => {
    const login = requestLine(snippetOf(PAGE, 'bash', '1. JWT Token'));

    it('POST /api/auth/login answers the members of the page, for JSON and for a form', async () => {
      const { email, password } = await signedIn(api.harness);
      const answered = JSON.parse(snippetOf(PAGE, 'json', 'Response')) as Record<string, string>;
      const sent = { username: email, password };
      for (const reply of [await send(login.method, login.path, sent), await api.harness.post(login.path, sent)]) {
        const body = good(reply);
        expect(reply.status).to.equal(200);
        expect(Object.keys(body)).to.deep.equal(Object.keys(answered));
        expect(body.token_type).to.equal(answered.token_type);
        expect(body.access_token).to.match(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
      }
    });

    it('GET /api/auth/me answers who the token is for', async () => {
      const user = await signedIn(api.harness);
      const reply = await meBy(user.token);
      expect(reply.status).to.equal(200);
      expect(reply.json()).to.include({ id: user.id, username: user.email });
    });

    it('an invalid or expired one gets the documented error', async () => {
      const { token } = await signedIn(api.harness);
      const forged = `${token.slice(0, -8)}AAAAAAAA`;
      expect(errorOf(await meBy(forged))).to.deep.equal(documented('Invalid token'));
      expect(errorOf(await meBy('eyJhbGciOiJub25lIn0.e30.'))).to.deep.equal(documented('Invalid token'));
      clock.advance(3601);
      expect(errorOf(await meBy(token))).to.deep.equal(documented('Invalid token'));
    });

    it('a wrong password and an unknown user look the same', async () => {
      const { email } = await signedIn(api.harness);
      const wrong = await send('POST', login.path, { username: email, password: 'not the password' });
      const unknown = await send('POST', login.path, { username: 'nobody@example.com', password: 'not the password' });
      expect(wrong.status).to.equal(401);
      expect(wrong.text).to.equal(unknown.text);
    });
  });

  describe('API key', () => {
    it('is created when a user registers, shown once, and good for API operations', async () => {
      const made = await send('POST', '/api/auth/register', { username: 'new@example.com', password: PASSWORD });
      api.harness.keepSecret(PASSWORD);
      expect(made.status).to.equal(201);
      const { api_key: key, api_key_id: id, username } = made.json();
      api.harness.keepSecret(key);
      expect(username).to.equal('new@example.com');
      expect(key).to.match(/^omx_[0-9A-Za-z]{54}$/);

      const reply = await memoriesBy(key);
      expect(reply.status).to.equal(200);
      expect(api.arrivals.at(-1)?.url).to.equal('/api/v1/memories');
      expect(api.arrivals.at(-1)?.headers).to.include({ 'x-auth-key-id': id, 'x-auth-environment': 'live' });

      const login = await send('POST', '/api/auth/login', { username: 'new@example.com', password: PASSWORD });
      const listed = await send('GET', '/api/keys', undefined, bearer(good(login).access_token));
      expect(good(listed).data.map((each: { id: string }) => each.id)).to.deep.equal([id]);
      expect(listed.text).not.to.include(key.slice(4, -4));
    });

    it('POST /api/keys makes additional ones, as the page has it: without a body', async () => {
      const { token } = await signedIn(api.harness);
      const { method, path } = requestLine(snippetOf(PAGE, 'bash', 'Obtaining an API Key'));
      const made = await send(method, path, undefined, bearer(token));
      expect(made.status).to.equal(201);
      api.harness.keepSecret(made.json().key);
      expect((await memoriesBy(made.json().key)).status).to.equal(200);
      const named = await send(method, path, { name: 'Staging' }, bearer(token));
      api.harness.keepSecret(named.json().key);
      expect(named.json()).to.include({ name: 'Staging' });
    });

    it('works by Bearer too', async () => {
      const { key } = await apiKeyOf(api.harness, await signedIn(api.harness));
      expect((await api.fetch(`${api.url}/api/v1/memories`, { headers: bearer(key) })).status).to.equal(200);
    });

    it('an invalid, unknown, mistyped or deleted one gets the documented error, always the same', async () => {
      const { token } = await signedIn(api.harness);
      const made = good(await send('POST', '/api/keys', undefined, bearer(token)));
      api.harness.keepSecret(made.key);
      expect((await memoriesBy(made.key)).status).to.equal(200);
      const deleted = await send('DELETE', `/api/keys/${made.id}`, undefined, bearer(token));
      expect(deleted.status).to.equal(200);
      const mistyped = made.key.slice(0, -1) + (made.key.endsWith('a') ? 'b' : 'a');
      for (const key of [made.key, mistyped, 'omx_your_api_key_here', 'nonsense']) {
        expect(errorOf(await memoriesBy(key))).to.deep.equal(documented('Invalid API Key'));
      }
      const none = await api.fetch(`${api.url}/api/v1/memories`);
      expect(errorOf({ status: none.status, text: await none.text() })).to.deep.equal(documented('Invalid API Key'));
    });

    it('without the permission gets the documented error', async () => {
      const user = await signedIn(api.harness);
      const { key } = await apiKeyOf(api.harness, user, { scopes: ['write'] });
      expect(errorOf(await memoriesBy(key))).to.deep.equal(documented('Forbidden'));
      // Keys for data do not make keys.
      expect(errorOf(await send('POST', '/api/keys', undefined, { 'x-api-key': key }))).to.deep.equal(
        documented('Forbidden'),
      );
    });
  });

  describe('bad input', () => {
    it('two different credentials at once are refused, the same one twice is not', async () => {
      const user = await signedIn(api.harness);
      const [one, other] = [await apiKeyOf(api.harness, user), await apiKeyOf(api.harness, user)];
      const ask = (headers: object) => api.fetch(`${api.url}/api/v1/memories`, { headers });
      const before = api.arrivals.length;
      expect((await ask({ ...bearer(one.key), 'x-api-key': other.key })).status).to.equal(400);
      expect((await ask({ ...bearer(user.token), 'x-api-key': one.key })).status).to.equal(400);
      expect(api.arrivals).to.have.length(before);
      expect((await ask({ ...bearer(one.key), 'x-api-key': one.key })).status).to.equal(200);
    });

    it('who it is cannot be forged: what the caller says of itself does not reach the product', async () => {
      const user = await signedIn(api.harness);
      const { key, id } = await apiKeyOf(api.harness, user);
      const forged = { 'x-auth-subject': 'acc_root', 'x-auth-key-id': 'key_root', 'x-auth-scopes': 'manage' };
      await api.fetch(`${api.url}/api/v1/memories`, { headers: { ...forged, 'x-api-key': key } });
      expect(api.arrivals.at(-1)?.headers).to.include({
        'x-auth-subject': user.id,
        'x-auth-key-id': id,
        'x-auth-scopes': 'read write',
      });
    });

    it('a refusal comes with its challenge (RFC 6750 3), once', async () => {
      const { key } = await apiKeyOf(api.harness, await signedIn(api.harness), { scopes: ['write'] });
      const challengeFor = async (headers: object): Promise<string> => {
        const reply = await api.fetch(`${api.url}/api/v1/memories`, { headers });
        return `${reply.status} ${reply.headers.get('www-authenticate')}`;
      };
      expect(await challengeFor({})).to.match(/^401 Bearer realm=[^,]+, resource_metadata=[^,]+$/);
      expect(await challengeFor({ 'x-api-key': 'omx_x' })).to.match(
        /^401 Bearer realm=[^,]+, error="invalid_token", [^,]+$/,
      );
      expect(await challengeFor(bearer(key))).to.match(
        /^403 Bearer realm=[^,]+, error="insufficient_scope", scope="read", [^,]+$/,
      );
    });

    it('a key in the URL is refused and recorded as exposed', async () => {
      const { key, id } = await apiKeyOf(api.harness, await signedIn(api.harness));
      const reply = await api.fetch(`${api.url}/api/v1/memories?api_key=${key}`, { headers: { 'x-api-key': key } });
      expect(reply.status).to.equal(400);
      const [event] = await api.harness.services.stores.audit.list({ type: 'credential.exposed', limit: 1 });
      expect(event?.details).to.include({ keyId: id });
    });

    it('a form cannot sign a browser in: cookies are not to be had here', async () => {
      const { email, password } = await signedIn(api.harness);
      const reply = await api.harness.post('/api/auth/login', { username: email, password, mode: 'cookies' });
      expect(reply.status).to.equal(400);
      expect(reply.cookies).to.deep.equal([]);
      expect(reply.json().fields).to.deep.equal([{ field: 'mode', problem: 'is not known' }]);
    });

    it('names what is wrong by the names of the page', async () => {
      const missing = await send('POST', '/api/auth/login', { password: 'x' });
      expect(missing.status).to.equal(400);
      expect(missing.json().fields).to.deep.equal([{ field: 'username', problem: 'is missing' }]);
      const wrongType = await send('POST', '/api/auth/login', { username: ['a'], password: 'x' });
      expect(wrongType.json().fields[0].field).to.equal('username');
      const ours = await send('POST', '/api/auth/login', { email: 'a@example.com', password: 'x' });
      expect(ours.json().fields[0]).to.deep.equal({ field: 'email', problem: 'is not known' });
    });

    it('bodies that are no object, no JSON, too large or of another type get 4xx', async () => {
      const post = (body: string, type: string) =>
        api.harness.send('/api/auth/login', { method: 'POST', headers: { 'content-type': type }, body });
      expect((await post('[]', 'application/json')).status).to.equal(400);
      expect((await post('{', 'application/json')).status).to.equal(400);
      expect((await post(`"${'x'.repeat(70_000)}"`, 'application/json')).status).to.equal(413);
      expect((await post('<a/>', 'text/xml')).status).to.equal(415);
      // Only fields in a form here: this page never sends JSON under its content type.
      expect((await post('{"username":"a","password":"b"}', FORM['content-type'])).status).to.equal(400);
    });
  });

  // Last, for it looks at what the tests above have asked for.
  describe('the page', () => {
    it('has no example that was not run', () => {
      expect(unusedSnippets(PAGE)).to.deep.equal([]);
    });
  });
});
