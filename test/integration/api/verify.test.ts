import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { auditOf, call, good, newKey, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  basic,
  createClient,
  createResource,
  DEMO,
  obtainTokens,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { makeIdentity } from '../../support/certificates.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const basicOf = ({ id, secret = '' }: TestClient): string => basic(id, secret);
const maxAge = (header: string | undefined): number => Number(/max-age=(\d+)/.exec(header ?? '')?.[1] ?? -1);

/** A token bound to a key of its holder, and that key. */
async function boundToken(harness: Harness) {
  const machine = await createClient(harness, {
    ...{ grantTypes: ['client_credentials'], resources: [API], tokenBinding: 'dpop' },
  });
  const keys = await createProofKeys();
  const url = harness.url('/oauth2/token');
  const ask = async (nonce?: string) => {
    const dpop = await proofFor(url, keys, { claims: nonce === undefined ? {} : { nonce } });
    return token(harness, machine, { grant_type: 'client_credentials' }, { dpop });
  };
  const first = await ask();
  const reply = first.status === 200 ? first : await ask(String(first.headers['dpop-nonce']));
  return { keys, bound: String(reply.json().access_token) };
}

describe('verify', () => {
  let harness: Harness;
  let ada: Person;
  let web: TestClient;
  let opaque: { identifier: string; api: TestClient };
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const tokensFor = (resource: string) => obtainTokens(harness, web, { who: ada, scope: 'openid read', resource });

  describe('says who it is, of', () => {
    it('an API key', async () => {
      const key = await newKey(harness, ada, { environment: 'test', scopes: ['read', 'write'] });
      const { issued_at, expires_at, ...who } = (await verify(harness, key.key, { environment: 'test' })).json();
      expect(who).to.deep.equal({
        active: true,
        method: 'api_key',
        subject: ada.id,
        subject_type: 'user',
        client_id: null,
        key_id: key.id,
        namespace: key.namespace,
        environment: 'test',
        scopes: ['read', 'write'],
        audience: null,
      });
      expect(Date.parse(expires_at) - Date.parse(issued_at)).to.be.closeTo(365 * 86_400_000, 2000);
    });

    it('an access token of OAuth, JWT or opaque', async () => {
      for (const resource of [API, opaque.identifier]) {
        const { access_token: value } = await tokensFor(resource);
        expect(value).to.match(resource === API ? /^eyJ/ : /^gat_/);
        expect((await verify(harness, value)).json()).to.include({
          method: 'access_token',
          subject: ada.id,
          subject_type: 'user',
          client_id: web.id,
          audience: resource,
          key_id: null,
          environment: null,
        });
      }
    });

    it('the token of a client for itself', async () => {
      const value = (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json().access_token;
      expect((await verify(harness, value)).json()).to.include({
        subject: 'demo-machine',
        subject_type: 'client',
        client_id: 'demo-machine',
      });
    });

    it('a login', async () => {
      const who = (await verify(harness, ada.token)).json();
      expect(who).to.include({ method: 'login', subject: ada.id, audience: harness.issuer, client_id: null });
      expect(who.scopes).to.have.members(['read', 'write', 'manage']);
    });

    it('the cookies of the sign-in pages and of the login, wherever a header says nothing', async () => {
      const browser = new Browser(harness);
      await browser.open(authorization(harness, web).url);
      await browser.signIn(ada);
      const page = browser.jar.header(new URL(harness.url('/')));
      expect((await call(harness, 'GET /v1/auth/verify', { headers: { cookie: page } })).json()).to.include({
        method: 'session',
        subject: ada.id,
      });
      const own = { origin: harness.issuer };
      const login = await call(harness, 'POST /v1/auth/login', {
        body: { email: ada.email, password: ada.password, mode: 'cookies' },
        headers: own,
      });
      const cookie = login.cookies.map((line) => line.split(';')[0]).join('; ');
      const reply = await call(harness, 'GET /v1/auth/verify', { headers: { cookie } });
      expect(reply.json()).to.include({ method: 'login', subject: ada.id });
      // Who made the browser send it is looked at with every request, so nobody may keep the answer.
      expect(reply.headers['cache-control']).to.equal('no-store');
    });
  });

  it('takes the credential in Authorization, X-API-Key or the body, and alike by GET', async () => {
    const { key, id } = await newKey(harness, ada);
    const answers = [
      await call(harness, 'POST /v1/auth/verify', { as: key, body: {} }),
      await call(harness, 'POST /v1/auth/verify', { as: key }),
      await call(harness, 'GET /v1/auth/verify', { as: key }),
      await call(harness, 'GET /v1/auth/verify', { headers: { authorization: `bearer  ${key}` } }),
      await call(harness, 'GET /v1/auth/verify', { headers: { 'x-api-key': key } }),
      await call(harness, 'POST /v1/auth/verify', {
        as: key,
        headers: { 'x-api-key': key },
        body: { credential: key },
      }),
      await verify(harness, key),
    ];
    for (const reply of answers) expect([reply.status, reply.json().key_id]).to.deep.equal([200, id]);
  });

  it('refuses two different credentials at once, wherever they stand', async () => {
    const [one, two] = [await newKey(harness, ada), await newKey(harness, ada)];
    const twice: Parameters<typeof call>[2][] = [
      { as: one.key, headers: { 'x-api-key': two.key } },
      { as: one.key, headers: { 'x-api-key': 'garbage' } },
      { as: one.key, body: { credential: two.key } },
      { headers: { 'x-api-key': [one.key, two.key] } },
      { headers: { 'x-api-key': one.key }, body: { credential: ada.token } },
      { headers: { authorization: 'Basic Zm9vOmJhcg==', 'x-api-key': one.key } },
    ];
    for (const request of twice) {
      const reply = call(harness, 'POST /v1/auth/verify', request);
      expect(await outcome(reply), JSON.stringify(request)).to.equal('400 invalid_request');
    }
    const [, ...headers] = ['', `Bearer ${one.key}`, `Bearer ${two.key}`];
    const repeated = await call(harness, 'GET /v1/auth/verify', { headers: { authorization: headers } });
    expect(repeated.status).to.equal(400);
  });

  it('compares with what the resource server requires: scopes, audience, environment', async () => {
    const { key } = await newKey(harness, ada, { scopes: ['read', 'write'] });
    const { access_token: value } = await tokensFor(API);
    const cases: [string, object, string][] = [
      [key, { required_scopes: ['read'] }, '200'],
      [key, { required_scopes: ['read', 'write'] }, '200'],
      [key, { required_scopes: ['read', 'manage'] }, '403 insufficient_scope'],
      [key, { required_scopes: ['nonsense'] }, '403 insufficient_scope'],
      [key, { environment: 'live' }, '200'],
      [key, { environment: 'test' }, '401 unauthenticated'],
      [key, { audience: API }, '200'],
      [value, { audience: API }, '200'],
      [value, { audience: [opaque.identifier, API] }, '200'],
      [value, { audience: opaque.identifier }, '401 unauthenticated'],
      [value, { audience: `${API}/` }, '401 unauthenticated'],
      [value, { required_scopes: ['read'], audience: API }, '200'],
      [value, { required_scopes: ['write'] }, '403 insufficient_scope'],
      [value, { environment: 'live' }, '200'],
      [value, { environment: 'test' }, '401 unauthenticated'],
      [ada.token, { audience: harness.issuer }, '200'],
      // A sign-in by the user is for the whole product, as their keys are.
      [ada.token, { audience: API }, '200'],
    ];
    for (const [credential, asked, expected] of cases) {
      expect(await outcome(verify(harness, credential, asked)), JSON.stringify(asked)).to.equal(expected);
    }
    const lacking = await verify(harness, key, { required_scopes: ['manage'] });
    expect(lacking.json().required_scope).to.equal('manage');
    expect(lacking.headers['www-authenticate']).to.contain('scope="manage"');
    const byGet = (query: string) => outcome(call(harness, `GET /v1/auth/verify?${query}`, { as: key }));
    expect(await byGet('required_scopes=read+write&environment=live')).to.equal('200');
    expect(await byGet('required_scopes=read&required_scopes=manage')).to.equal('403 insufficient_scope');
  });

  it('judges by the address the resource server tells, and writes down that of the resource server', async () => {
    const { id, key } = await newKey(harness, ada, { allowed_addresses: ['192.0.2.0/24'] });
    expect(await outcome(verify(harness, key))).to.equal('401 unauthenticated');
    const { api } = opaque;
    const proofs = ['authorization', 'x-gateway-authorization'].map((name) => ({ [name]: basicOf(api) }));
    for (const headers of proofs) {
      const ask = (ip: unknown) => call(harness, 'POST /v1/auth/verify', { headers, body: { credential: key, ip } });
      expect(await outcome(ask('192.0.2.7'))).to.equal('200');
      expect(await outcome(ask('198.51.100.7'))).to.equal('401 unauthenticated');
      for (const ip of ['192.0.2.300', 'garbage', '', 5]) {
        expect(await outcome(ask(ip)), String(ip)).to.equal('400 invalid_request');
      }
    }
    const events = (await auditOf(harness, 'credential.refused')).filter(({ details }) => details.keyId === id);
    expect(events.map(({ ip }) => ip)).to.deep.equal(['127.0.0.1']);
  });

  it('believes nobody else on the address: no stranger, no client of a user, no app, nobody with a wrong secret', async () => {
    const { key } = await newKey(harness, ada, { allowed_addresses: ['192.0.2.0/24'] });
    const machine = await createClient(harness, { grantTypes: ['client_credentials'] });
    const made = await good(call(harness, 'POST /v1/clients', { as: ada.token, body: { name: 'Mine' } }));
    const mine = { ...machine, id: made.client_id, secret: made.client_secret };
    const ask = (headers: Record<string, string>, credential = key) =>
      call(harness, 'POST /v1/auth/verify', { headers, body: { credential, ip: '192.0.2.7' } });
    expect(await outcome(ask({}))).to.equal('401 unauthenticated');
    // As another key does whose address does not matter: what a stranger says of it changes nothing.
    expect(await outcome(ask({}, (await newKey(harness, ada)).key))).to.equal('200');
    for (const client of [web, machine, mine, { ...opaque.api, secret: 'wrong' }]) {
      const reply = await ask({ authorization: basicOf(client) });
      // Not a 401, which would be what to tell the caller, nor the challenge that a middleware passes on.
      expect(await outcome(reply), client.id).to.equal('403 insufficient_scope');
      expect(reply.headers).to.not.have.property('www-authenticate');
    }
  });

  it('takes from a stranger no word on the request that a proof of possession is for', async () => {
    const { keys, bound } = await boundToken(harness);
    const about = { method: 'PUT', url: 'https://api.example.com/v1/memories' };
    const ask = async (headers: Record<string, string>) => {
      const dpop = await proofFor(about.url, keys, { method: about.method, accessToken: bound });
      const body = { credential: bound, ...about };
      return outcome(call(harness, 'POST /v1/auth/verify', { headers: { ...headers, dpop }, body }));
    };
    expect(await ask({})).to.equal('401 unauthenticated');
    expect(await ask({ authorization: basicOf(opaque.api) })).to.equal('200');
    expect(await ask({ 'x-gateway-authorization': basicOf(opaque.api) })).to.equal('200');
    expect(await ask({ authorization: basicOf(web) })).to.equal('403 insufficient_scope');
  });

  it('takes from a stranger no word on a certificate: of a stolen token that would be its only bound', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-verify-'));
    try {
      const identity = makeIdentity(folder, 'client');
      const env = { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1', GATEHOUSE_CLIENT_CERTIFICATE_HEADER: 'Client-Cert' };
      await using proxied = await startHarness({ env });
      const machine = await createClient(proxied, {
        ...{ grantTypes: ['client_credentials'], resources: [API], tokenBinding: 'mtls' },
      });
      const { api } = await createResource(proxied);
      const shown = { 'client-cert': encodeURIComponent(identity.cert) };
      const { access_token: credential } = (
        await token(proxied, machine, { grant_type: 'client_credentials' }, shown)
      ).json();
      const stranger = { 'x-forwarded-for': '198.51.100.7' };
      const ask = (headers: Record<string, string>, thumbprint = identity.thumbprint) =>
        outcome(
          call(proxied, 'POST /v1/auth/verify', {
            headers,
            body: { credential, certificate_thumbprint: thumbprint },
          }),
        );
      expect(await ask(stranger)).to.equal('401 unauthenticated');
      expect(await ask({ ...stranger, authorization: basicOf(api) })).to.equal('200');
      expect(await ask({ ...stranger, authorization: basicOf(api) }, 'A'.repeat(43))).to.equal('401 unauthenticated');
      // The proxy that asks for itself, and the holder in person.
      expect(await ask({})).to.equal('200');
      expect(await ask({ ...stranger, ...shown }, 'A'.repeat(43))).to.equal('200');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('takes a token without an audience for nobody who names theirs', async () => {
    const { access_token: plain } = await obtainTokens(harness, web, { who: ada, scope: 'openid' });
    expect((await verify(harness, plain)).json().audience).to.equal(null);
    for (const audience of [API, harness.issuer]) {
      expect(await outcome(verify(harness, plain, { audience }))).to.equal('401 unauthenticated');
    }
  });

  describe('lets its answer be believed', () => {
    it('for what is left of five seconds', async () => {
      const { key } = await newKey(harness, ada);
      const reply = await verify(harness, key);
      expect(reply.headers['cache-control']).to.match(/^private, max-age=[45]$/);
      expect(reply.headers.vary?.toLowerCase())
        .to.contain('authorization')
        .and.contain('x-api-key')
        .and.contain('cookie');
      using _ = travel(3);
      expect(maxAge((await verify(harness, key)).headers['cache-control'])).to.be.within(1, 2);
      using __ = travel(1.5);
      expect((await verify(harness, key)).headers['cache-control']).to.equal('no-store');
    });

    it('never for longer than the credential lives', async () => {
      const expires_at = new Date((Math.floor(Date.now() / 1000) + 3) * 1000).toISOString();
      const { key } = await newKey(harness, ada, { expires_at });
      expect(maxAge((await verify(harness, key)).headers['cache-control'])).to.be.within(1, 2);
    });

    it('never for longer when the clock was set back', async () => {
      const { key } = await newKey(harness, ada);
      await verify(harness, key);
      using _ = travel(-600);
      expect(maxAge((await verify(harness, key)).headers['cache-control'])).to.be.within(0, 5);
    });

    it('not at all when it is bound to a key, whose holder proves it anew each time', async () => {
      const { keys, bound } = await boundToken(harness);
      const proof = await proofFor(harness.url('/v1/auth/verify'), keys, { accessToken: bound });
      const answer = await call(harness, 'POST /v1/auth/verify', {
        headers: { authorization: `DPoP ${bound}`, dpop: proof },
      });
      expect([answer.status, answer.headers['cache-control']]).to.deep.equal([200, 'no-store']);
      expect(await outcome(verify(harness, bound))).to.equal('401 unauthenticated');
    });

    it('not at all when it is refused', async () => {
      for (const credential of ['garbage', `${ada.token}x`]) {
        expect((await verify(harness, credential)).headers['cache-control']).to.equal('no-store');
      }
    });
  });

  it('ends for a token when it is revoked, at once, warm as it may be', async () => {
    for (const resource of [API, opaque.identifier]) {
      const { access_token: value } = await tokensFor(resource);
      expect((await verify(harness, value)).status).to.equal(200);
      const { revoke } = await import('../../support/builders.ts');
      await revoke(harness, web, value);
      expect(await outcome(verify(harness, value))).to.equal('401 unauthenticated');
    }
  });
});
