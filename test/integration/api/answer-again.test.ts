import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { bearer, call, type MadeKey, newKey, newPerson, type Person, verify } from '../../support/api-client.ts';
import { type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

const CHECKED = '/v1/auth/verify';

/** An answer that holds for seconds is given again without being made again. Nobody must be able to tell. */
describe('an answer that is given again', () => {
  let harness: Harness;
  let ada: Person;
  let key: MadeKey;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
    ada = await newPerson(harness);
  });
  beforeEach(async () => {
    key = await newKey(harness, ada, { scopes: ['read'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const ask = (headers: Record<string, string | readonly string[]>, path = CHECKED): Promise<Reply> =>
    harness.send(path, { headers });
  const withKey = (more: Record<string, string | readonly string[]> = {}, path = CHECKED): Promise<Reply> =>
    ask({ 'x-api-key': key.key, ...more }, path);

  function apartFromTheTurn({ status, headers, text }: Reply): object {
    const { 'x-request-id': _, date: __, 'cache-control': ___, ...rest } = headers;
    return { status, text, rest };
  }

  for (const path of [CHECKED, '/forward-auth', '/forward-auth?scope=read&environment=live']) {
    it(`at ${path} is the same as the first one, under a request id of its own`, async () => {
      const [first, second] = [await withKey({}, path), await withKey({}, path)];
      expect(first.status).to.equal(200);
      expect(apartFromTheTurn(second)).to.deep.equal(apartFromTheTurn(first));
      expect(second.headers['x-request-id']).to.not.equal(first.headers['x-request-id']);
      expect(second.headers['cache-control']).to.match(/^private, max-age=[1-4]$/);
    });
  }

  it('is counted, logged and measured as any other', async () => {
    const before = harness.log.filter(({ msg }) => msg === 'request').length;
    for (let n = 0; n < 5; n += 1) await withKey();
    await harness.services.usage.flush();
    const now = Date.now();
    const [bucket] = await harness.services.stores.usage.list({
      ...{ ownerId: ada.id, keyId: key.id, from: now - 7_200_000, to: now + 1 },
    });
    expect(bucket?.allowed).to.equal(5);
    expect(harness.log.filter(({ msg }) => msg === 'request').length - before).to.equal(5);
    const { body } = await harness.app.metrics.render();
    expect(body).to.match(
      /request_duration_seconds_count\{method="GET",route="api \/v1\/auth\/verify",status="200"\} \d+/,
    );
  });

  it('keeps the request id of a trusted proxy', async () => {
    await withKey();
    expect((await withKey({ 'x-request-id': 'from-the-proxy-1' })).headers['x-request-id']).to.equal(
      'from-the-proxy-1',
    );
  });

  it('says the same of its holder whatever a proxy calls the request', async () => {
    const victim = await newPerson(harness);
    for (const own of [ada.id, key.id, 'read', 'namespace'].map((text) => text.padEnd(8, '_'))) {
      const first = await withKey({ 'x-request-id': own, 'x-tracing': own });
      for (const forged of [victim.id, 'key_0000000000000000']) {
        const reply = await withKey({ 'x-request-id': forged, 'x-tracing': own });
        expect(reply.headers['x-request-id']).to.equal(forged);
        expect(reply.json()).to.deep.equal(first.json());
      }
    }
  });

  it('holds no longer when the clock is set back', async () => {
    await withKey();
    using _ = travel(-3600);
    const { headers } = await withKey();
    expect(headers['cache-control']).to.match(/^private, max-age=[1-5]$/);
    // Revoked where nobody tells this process.
    const { apiKeys } = harness.services.stores;
    const stored = await apiKeys.find(key.id);
    if (!stored) throw new Error('the key is not stored');
    await apiKeys.update({ ...stored.key, revokedAt: Date.now() });
    await sleep(5100);
    expect((await withKey()).status).to.equal(401);
  });

  it('is logged for the address that asks', async () => {
    for (const ip of ['203.0.113.1', '198.51.100.66', '2001:db8::1']) {
      await withKey({ 'x-forwarded-for': ip });
      expect(harness.log.findLast(({ msg }) => msg === 'request')).to.include({ ip });
    }
  });

  it('is over at once when the key is revoked', async () => {
    for (let n = 0; n < 3; n += 1) expect((await withKey()).status).to.equal(200);
    expect((await call(harness, `DELETE /v1/api-keys/${key.id}`, { as: ada.token })).status).to.equal(200);
    expect((await withKey()).status).to.equal(401);
    expect((await withKey()).status).to.equal(401);
  });

  it('is not that of another question, credential, host or way here', async () => {
    await withKey({}, '/forward-auth?scope=read');
    expect((await withKey({}, '/forward-auth?scope=write')).status).to.equal(403);
    expect((await withKey({}, '/forward-auth?scope=read&environment=test')).status).to.equal(401);
    const other = await newKey(harness, ada);
    await withKey();
    expect((await ask({ 'x-api-key': other.key })).json().key_id).to.equal(other.id);
    expect((await withKey({ authorization: `Bearer ${other.key}` })).status).to.equal(400);
    expect((await withKey({ 'x-api-key': [key.key, other.key] })).status).to.equal(400);
    expect((await withKey({ host: 'evil.example' })).status).to.equal(421);
    expect((await withKey({ 'x-gatehouse-require': 'scope=read' }, '/forward-auth?scope=read')).status).to.equal(400);
  });

  it('does not hide a credential in the address of the original request', async () => {
    for (const query of ['', '?limit=10', '?limit=10', '']) {
      expect((await withKey({ 'x-forwarded-uri': `/things${query}` }, '/forward-auth')).status).to.equal(200);
    }
    const exposed = await withKey({ 'x-forwarded-uri': `/things?api_key=${key.key}` }, '/forward-auth');
    expect(exposed.status).to.equal(400);
  });

  it('is never that of a key that is good from some addresses only', async () => {
    const bound = await newKey(harness, ada, { allowed_addresses: ['10.0.0.1'] });
    const from = (ip: string) => ask({ 'x-api-key': bound.key, 'x-forwarded-for': ip }, '/forward-auth');
    expect((await from('10.0.0.1')).status).to.equal(200);
    expect((await from('10.0.0.2')).status).to.equal(401);
    expect((await from('10.0.0.1')).status).to.equal(200);
  });

  it('is never that of a key with a limit', async () => {
    const few = await newKey(harness, ada, { limit: { quota: 2, window_seconds: 3600 } });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await ask({ 'x-api-key': few.key })).status);
    expect(statuses).to.deep.equal([200, 200, 429, 429]);
  });

  it('to a request with a body is judged by the body', async () => {
    expect((await verify(harness, key.key)).status).to.equal(200);
    expect((await verify(harness, key.key, { required_scopes: ['write'] })).status).to.equal(403);
  });

  it('to the same body is the same, counted and over like any other', async () => {
    const [first, second] = [await verify(harness, key.key), await verify(harness, key.key)];
    expect(first.status).to.equal(200);
    expect(apartFromTheTurn(second)).to.deep.equal(apartFromTheTurn(first));
    expect(second.headers['cache-control']).to.match(/^private, max-age=[1-4]$/);
    const other = await newKey(harness, ada);
    expect((await verify(harness, other.key)).json().key_id).to.equal(other.id);
    await harness.services.usage.flush();
    const now = Date.now();
    const [bucket] = await harness.services.stores.usage.list({
      ...{ ownerId: ada.id, keyId: key.id, from: now - 7_200_000, to: now + 1 },
    });
    expect(bucket?.allowed).to.equal(2);
    expect((await call(harness, `DELETE /v1/api-keys/${key.id}`, { as: ada.token })).status).to.equal(200);
    expect((await verify(harness, key.key)).status).to.equal(401);
  });

  it('is not given to a body that is meant in another way', async () => {
    const body = JSON.stringify({ credential: key.key });
    const post = (more: Record<string, string>, text = body) =>
      harness.send(CHECKED, { method: 'POST', headers: { 'content-type': 'application/json', ...more }, body: text });
    for (let n = 0; n < 2; n += 1) {
      expect((await post({})).status).to.equal(200);
      expect((await post({ 'content-type': 'text/plain' })).status).to.equal(415);
      expect((await post({ 'content-encoding': 'gzip' })).status).to.equal(415);
      expect((await post({ 'x-api-key': 'nonsense' })).status).to.equal(400);
      expect((await post({}, `${body}x`)).status).to.equal(400);
      expect((await post({}, `{"unknown":1,${body.slice(1)}`)).status).to.equal(400);
      const long = { credential: key.key, required_scopes: Array(500).fill('read') };
      expect((await post({}, JSON.stringify(long))).status).to.be.oneOf([200, 400]);
      // Without any body: the credential of the header.
      expect((await harness.send(CHECKED, { method: 'POST', headers: { 'x-api-key': key.key } })).status).to.equal(200);
      expect((await harness.send(CHECKED, { method: 'POST' })).status).to.equal(401);
    }
  });

  it('waits for a body that comes in pieces, and for none that never comes', async () => {
    const { host } = new URL(harness.issuer);
    const requests = () => harness.log.filter(({ msg }) => msg === 'request').length;
    const body = JSON.stringify({ credential: key.key });
    const head = `POST ${CHECKED} HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Proto: https\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    for (let n = 0; n < 2; n += 1) {
      const aborted = connect(harness.port, '127.0.0.1');
      aborted.on('error', () => {});
      aborted.write(head + body.slice(0, 10));
      await sleep(20);
      const before = requests();
      aborted.resetAndDestroy();
      for (const deadline = Date.now() + 2000; requests() === before; await sleep(5))
        if (Date.now() > deadline) throw new Error('the aborted request left no line in the log');
      const slow = connect(harness.port, '127.0.0.1').setEncoding('utf8');
      for (const piece of [head, body.slice(0, 10), body.slice(10)]) {
        slow.write(piece);
        await sleep(20);
      }
      let answer = '';
      for await (const text of slow) answer += text;
      expect(answer).to.match(/^HTTP\/1\.1 200 /);
      expect(answer).to.contain(key.id);
    }
  });

  it('to a malformed key says so to each malformed key, with the request id of the moment', async () => {
    const replies = [];
    for (const text of ['nonsense', 'gh_live_short', `${key.key}x`, 'nonsense'])
      replies.push(await ask({ 'x-api-key': text }));
    for (const reply of replies) {
      expect(reply.status).to.equal(401);
      expect(reply.json().request_id).to.equal(reply.headers['x-request-id']);
      expect(reply.headers['cache-control']).to.equal('no-store');
      expect(reply.headers['www-authenticate']).to.contain('invalid_token');
    }
    expect(new Set(replies.map(({ headers }) => headers['x-request-id'])).size).to.equal(4);
    expect((await withKey()).status, 'a good key').to.equal(200);
  });

  it('to a malformed key names the request of the moment in a header for nginx as well', async () => {
    for (let n = 0; n < 3; n += 1) {
      const { status, headers } = await ask({ 'x-api-key': `nonsense-${n}` }, '/forward-auth?mode=nginx');
      expect(status).to.equal(401);
      expect(JSON.parse(String(headers['x-auth-error'])).request_id).to.equal(headers['x-request-id']);
    }
  });

  it('to a malformed key is not put together from what a caller calls the request', async () => {
    for (const id of ['credential', 'not-valid', 'Bearer.0']) {
      for (const text of ['nonsense', 'more-nonsense']) {
        const reply = await ask({ 'x-api-key': text, 'x-request-id': id });
        expect(reply.json()).to.include({ detail: 'The credential is not valid.', request_id: id });
      }
    }
  });

  it('to one credential is not that to another beside something malformed', async () => {
    const empty = { authorization: '' };
    expect((await withKey(empty)).status).to.equal(200);
    const other = await newKey(harness, ada);
    expect((await withKey({ authorization: `Bearer ${other.key}` })).status).to.equal(400);
    expect((await withKey({ authorization: 'Bearer nonsense' })).status).to.equal(400);
    expect((await withKey(empty)).status).to.equal(200);
  });

  it('to a live key that is refused is counted each time, whatever stands beside it', async () => {
    const wrong = '/forward-auth?environment=test';
    for (let n = 0; n < 4; n += 1) {
      expect((await withKey({ authorization: '' }, wrong)).status).to.equal(401);
      expect((await ask({ authorization: `DPoP ${key.key}` }, '/forward-auth')).status).to.equal(401);
    }
    await harness.services.usage.flush();
    const now = Date.now();
    const [bucket] = await harness.services.stores.usage.list({
      ...{ ownerId: ada.id, keyId: key.id, from: now - 7_200_000, to: now + 1 },
    });
    expect(bucket).to.include({ refused: 8, allowed: 0 });
  });

  it('is understood anew for an original address that is none', async () => {
    await withKey({ 'x-forwarded-uri': '/things' }, '/forward-auth');
    expect((await withKey({ 'x-forwarded-uri': 'no address' }, '/forward-auth')).status).to.equal(400);
  });
});

describe('an answer that is given again in a dialect that words refusals by what was meant', () => {
  it('is given to the same kind of malformed credential', async () => {
    await using harness = await startHarness({ env: { GATEHOUSE_DIALECT: 'openmemoryx' } });
    const told = async (text: string): Promise<string> =>
      (await harness.send('/forward-auth', { headers: bearer(text) })).text;
    const [token, key] = [await told('garbage'), await told('omx_garbage')];
    expect(token).to.not.equal(key);
    expect([await told('omx_rubbish'), await told('rubbish')]).to.deep.equal([key, token]);
  });
});
