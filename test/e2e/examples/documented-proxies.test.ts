/**
 * Traefik and Envoy are in no Debian, so they do not run here. Gatehouse gets the requests that their documentation says they send:
 * doc.traefik.io/traefik/middlewares/http/forwardauth, envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { identityHeaders } from '../../../src/endpoints/api/identity-headers.ts';
import { apiKeyOf, bearer, good, json, signedIn } from '../../integration/dialects/published-api.ts';
import { createClient, createResource, token } from '../../support/builders.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { until } from '../../support/e2e-load.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';
import { EXAMPLES } from './example-api.ts';

const API = 'https://api.example.com';

interface Original {
  method?: string;
  target?: string;
  headers?: Record<string, string>;
  /** What the operator requires. */
  require?: string;
}

/** Both add `audience=` of the API to what is required, and keep the caller's own headers. */
const PROXIES = {
  // A GET to the address of its configuration; the caller's X-Forwarded-* are replaced.
  Traefik: ({ method = 'GET', target = '/v1/notes', headers = {}, require = 'scope=read' }: Original) => ({
    method: 'GET',
    path: `/forward-auth?audience=${API}&${require}`,
    headers: {
      host: 'auth.example.com',
      ...headers,
      'x-forwarded-method': method,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-uri': target,
      'x-forwarded-for': '203.0.113.7',
    },
  }),
  // The caller's method, host and path below path_prefix; Content-Length 0; headers_to_add replaces the caller's.
  Envoy: ({ method = 'GET', target = '/v1/notes', headers = {}, require = 'scope=read' }: Original) => ({
    method,
    path: `/forward-auth${target}`,
    headers: {
      host: 'api.example.com',
      ...headers,
      'content-length': '0',
      'x-gatehouse-require': `audience=${API}&${require}`,
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-envoy-internal': 'true',
    },
  }),
};

for (const [name, requestOf] of Object.entries(PROXIES)) {
  describe(`what ${name} is documented to send`, () => {
    let harness: Harness;
    let user: Awaited<ReturnType<typeof signedIn>>;
    let key: { key: string; id: string };

    before(async () => {
      harness = await startHarness({
        env: { ISSUER: 'https://auth.example.com', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
        demo: false,
      });
      user = await signedIn(harness);
      key = await apiKeyOf(harness, user, { scopes: ['read'] });
    });
    after(() => harness?.[Symbol.asyncDispose]());

    function ask(original: Original): Promise<Reply> {
      const { method, path, headers } = requestOf(original);
      return harness.sendRaw(path, { method, headers });
    }

    it('lets a good request of any method pass, with every identity header there', async () => {
      for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) {
        const forged = { 'x-auth-subject': 'usr_root', 'x-auth-scopes': 'root' };
        const reply = await ask({ method, headers: { ...forged, ...bearer(key.key) } });
        expect(reply.status, `${method} ${reply.text}`).to.equal(200);
        expect(reply.headers).to.include({
          'x-auth-subject': user.id,
          'x-auth-key-id': key.id,
          'x-auth-scopes': 'read',
        });
        for (const header of Object.keys(identityHeaders(null)))
          expect(reply.headers).to.have.property(header.toLowerCase());
        expect(reply.text).to.equal('');
      }
    });

    it('refuses with the true status, challenge and body', async () => {
      const nothing = await ask({});
      expect(nothing.status).to.equal(401);
      expect(nothing.headers['www-authenticate']).to.match(/^Bearer /);
      expect(nothing.headers['x-auth-subject']).to.equal('');
      const lacking = await ask({ headers: bearer(key.key), require: 'scope=read&scope=write' });
      expect(lacking.status).to.equal(403);
      expect(lacking.headers['www-authenticate']).to.include('error="insufficient_scope", scope="read write"');
      expect((await ask({ headers: bearer(key.key), require: 'environment=test' })).status).to.equal(401);
      const limited = await apiKeyOf(harness, user, { limit: { quota: 1, window_seconds: 3600 } });
      expect((await ask({ headers: bearer(limited.key) })).status).to.equal(200);
      const second = await ask({ headers: bearer(limited.key) });
      expect(second.status).to.equal(429);
      expect(second.headers['retry-after']).to.match(/^\d+$/);
      expect(second.json()).to.include({ code: 'rate_limit_exceeded' });
    });

    it("the caller's own query asks nothing, and a key in it is refused", async () => {
      const headers = bearer(key.key);
      const target = '/v1/notes?scope=admin&mode=nginx&provider=openai&anything=1';
      expect((await ask({ target, headers })).status).to.equal(200);
      expect((await ask({ target: `/v1/notes?api_key=${key.key}`, headers })).status).to.equal(400);
      const hidden = { ...headers, 'x-original-uri': '/v1/notes', 'x-original-url': '/v1/notes' };
      expect((await ask({ target: `/v1/notes?api_key=${key.key}`, headers: hidden })).status).to.equal(400);
    });

    it('a proof of possession is checked against the request as the caller sent it', async () => {
      const keys = await createProofKeys();
      await createResource(harness, { identifier: API, accessTokenFormat: 'jwt' });
      const client = await createClient(harness, {
        grantTypes: ['client_credentials'],
        scopes: ['read'],
        resources: [API],
        tokenBinding: 'dpop',
      });
      const tokenUrl = harness.url(harness.config.paths.token);
      const asked = async (claims: Record<string, unknown> = {}) =>
        token(
          harness,
          client,
          { grant_type: 'client_credentials' },
          { dpop: await proofFor(tokenUrl, keys, { claims }) },
        );
      let reply = await asked();
      if (reply.status === 400) reply = await asked({ nonce: reply.headers['dpop-nonce'] });
      const { access_token: accessToken } = good(reply);
      const passes = async (change: { method?: string; url?: string; lie?: Record<string, string> }) => {
        const { method = 'POST', url = `${API}/v1/notes`, lie = {} } = change;
        const dpop = await proofFor(url, keys, { method, accessToken });
        const headers = { authorization: `DPoP ${accessToken}`, dpop, ...lie };
        return (await ask({ method: 'POST', target: '/v1/notes?x=1', headers })).status;
      };
      expect(await passes({})).to.equal(200);
      expect(await passes({ method: 'GET' })).to.equal(401);
      expect(await passes({ method: 'GET', lie: { 'x-original-method': 'GET' } })).to.equal(401);
      expect(await passes({ url: `${API}/v1/other` })).to.equal(401);
      expect(await passes({ url: `${API}/v1/other`, lie: { 'x-original-uri': '/v1/other' } })).to.equal(401);
      expect(await passes({ url: 'https://elsewhere.example/v1/notes' })).to.equal(401);
      expect(
        await passes({ url: 'https://elsewhere.example/v1/notes', lie: { 'x-original-host': 'elsewhere.example' } }),
      ).to.equal(401);
    });

    it('a token for another API, and a revoked key, are refused', async () => {
      const { identifier } = await createResource(harness, { accessTokenFormat: 'jwt' });
      const client = await createClient(harness, {
        grantTypes: ['client_credentials'],
        scopes: ['read'],
        resources: [identifier],
      });
      const { access_token: other } = good(await token(harness, client, { grant_type: 'client_credentials' }));
      expect((await ask({ headers: bearer(other) })).status).to.equal(401);
      const doomed = await apiKeyOf(harness, user);
      expect((await ask({ headers: bearer(doomed.key) })).status).to.equal(200);
      good(await json(harness, 'DELETE', `/v1/api-keys/${doomed.id}`, undefined, bearer(user.token)));
      await until('the refusal', 1, async () => (await ask({ headers: bearer(doomed.key) })).status === 401);
    });
  });
}

describe('the configurations of proxies', () => {
  for (const file of ['nginx/gatehouse.conf', 'caddy/Caddyfile', 'traefik/dynamic.yml', 'envoy/envoy.yaml']) {
    it(`${file} takes every identity header from Gatehouse`, () => {
      const text = readFileSync(`${EXAMPLES}${file}`, 'utf8').toLowerCase();
      for (const header of Object.keys(identityHeaders(null)))
        expect(text).to.match(new RegExp(`${header}(?![-\\w])`, 'i'));
    });
  }
});
