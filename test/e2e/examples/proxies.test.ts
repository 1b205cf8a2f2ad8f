import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { apiKeyOf, bearer, good, json, signedIn } from '../../integration/dialects/published-api.ts';
import { createClient, createResource, type TestClient, token } from '../../support/builders.ts';
import { makeIdentity } from '../../support/certificates.ts';
import { createPortFetch, type PortFetch } from '../../support/e2e-fetch.ts';
import { until } from '../../support/e2e-load.ts';
import { freePort } from '../../support/free-port.ts';
import { type Harness, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { adapted } from './adapted.ts';
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts';

const API = 'https://api.example.com';
const ISSUER = 'https://auth.example.com';

interface Front extends PortFetch {
  stop(): Promise<void>;
}

/** The example's own configuration on a free port, with a certificate, in front of these two. */
async function startNginxExample(context: Mocha.Context, gatehouse: string, api: string): Promise<Front> {
  const startNginx = await requirePart('nginx', context);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-example-'));
  const { certFile, keyFile, cert } = makeIdentity(folder, 'api', 'api.example.com');
  const port = await freePort();
  const server = await startNginx({
    http: adapted('nginx/gatehouse.conf', {
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      '/etc/ssl/api.example.com.pem': certFile,
      '/etc/ssl/api.example.com.key': keyFile,
      '127.0.0.1:3000': gatehouse,
      '127.0.0.1:8080': api,
    }),
  });
  rmSync(folder, { recursive: true });
  const outside = createPortFetch(port, { ca: cert });
  return { ...outside, stop: () => server.stop() };
}

async function startCaddyExample(context: Mocha.Context, gatehouse: string, api: string): Promise<Front> {
  const startCaddy = await requirePart('caddy', context);
  const port = await freePort();
  const server = await startCaddy({
    port,
    caddyfile: adapted('caddy/Caddyfile', {
      // Without TLS: certificates come from outside.
      'api.example.com {': `http://api.example.com:${port} {`,
      '127.0.0.1:3000': gatehouse,
      '127.0.0.1:8080': api,
    }),
  });
  const outside = createPortFetch(port);
  const fetch: Front['fetch'] = (url, init) =>
    outside.fetch(String(url).replace(API, `http://api.example.com:${port}`), init);
  return { fetch, close: outside.close, stop: () => server.stop() };
}

for (const [kind, start, whenAway] of [
  ['nginx', startNginxExample, 503],
  ['Caddy', startCaddyExample, 502],
] as const) {
  describe(`the ${kind} example`, () => {
    let harness: Harness;
    let network: TcpProxy;
    let upstream: RecordingUpstream;
    let front: Front;
    let user: Awaited<ReturnType<typeof signedIn>>;
    let client: TestClient;
    let key: { key: string; id: string };

    before(async function () {
      // The scheme is what the proxy says it is.
      const issuer = kind === 'nginx' ? ISSUER : ISSUER.replace('https', 'http');
      harness = await startHarness({ env: { ISSUER: issuer, GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' }, demo: false });
      network = await startTcpProxy(harness.config.port);
      upstream = await startRecordingUpstream();
      front = await start(this, `127.0.0.1:${network.port}`, upstream.address);
      user = await signedIn(harness);
      key = await apiKeyOf(harness, user, { scopes: ['read'] });
      await createResource(harness, { identifier: API, accessTokenFormat: 'jwt' });
      client = await createClient(harness, {
        grantTypes: ['client_credentials'],
        scopes: ['read', 'write'],
        resources: [API],
      });
    });
    after(async () => {
      front?.close();
      await front?.stop();
      await upstream?.close();
      await network?.close();
      await harness?.[Symbol.asyncDispose]();
    });

    const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      front.fetch(API + path, { method, headers, ...(method === 'POST' ? { body: 'the body' } : {}) });
    const statusOf = async (path: string, headers: Record<string, string>) => (await ask(path, headers)).status;

    it('lets a key pass and says whose it is; the API never sees the key', async () => {
      for (const headers of [bearer(key.key), { 'x-api-key': key.key }]) {
        const reply = await ask('/v1/notes?page=2', headers as Record<string, string>, 'POST');
        expect(reply.status).to.equal(200);
        expect(await reply.text()).to.equal("the upstream's own");
        const arrival = upstream.arrivals.at(-1);
        expect(arrival).to.include({ method: 'POST', url: '/v1/notes?page=2', body: 'the body' });
        expect(arrival?.headers).to.include({
          'x-auth-subject': user.id,
          'x-auth-subject-type': 'user',
          'x-auth-key-id': key.id,
          'x-auth-environment': 'live',
          'x-auth-scopes': 'read',
          'x-auth-method': 'api_key',
        });
        expect(arrival?.headers['x-auth-namespace']).to.be.a('string').and.not.equal('');
        expect(arrival?.raw).not.to.include(key.key);
      }
    });

    it('a token passes too, and one for another API does not', async () => {
      const other = await createResource(harness, { accessTokenFormat: 'jwt' });
      const elsewhere = await createClient(harness, {
        grantTypes: ['client_credentials'],
        scopes: ['read'],
        resources: [other.identifier],
      });
      const tokenOf = async (by: TestClient) =>
        good(await token(harness, by, { grant_type: 'client_credentials' })).access_token;
      expect(await statusOf('/v1/notes', bearer(await tokenOf(client)))).to.equal(200);
      expect(upstream.arrivals.at(-1)?.headers).to.include({ 'x-auth-client': client.id, 'x-auth-audience': API });
      expect(await statusOf('/v1/notes', bearer(await tokenOf(elsewhere)))).to.equal(401);
    });

    it('no X-Auth-* header of the caller ever arrives', async () => {
      const forged = {
        'X-Auth-Subject': 'usr_root',
        'x-auth-scopes': 'root',
        X_Auth_Subject: 'usr_root',
        X_AUTH_SCOPES: 'root',
        'X-Auth-Client': 'root',
        'X-Auth-Audience': 'root',
        'X-Auth-Status': '200 root',
        'X-Auth-Anything': 'root',
      };
      const known = upstream.arrivals.length;
      expect(await statusOf('/v1/notes', { ...forged, ...bearer(key.key) })).to.equal(200);
      expect(await statusOf('/health', forged)).to.equal(200);
      expect(await statusOf('/v1/notes', forged)).to.equal(401);
      const arrived = upstream.arrivals.slice(known);
      expect(arrived).to.have.length(2);
      expect(arrived[0]?.headers['x-auth-subject']).to.equal(user.id);
      for (const { headers, raw } of arrived) {
        expect(raw.replace(/x-auth-anything\nroot/i, '')).not.to.include('root');
        expect(headers['x-auth-client'] ?? '').to.equal('');
      }
    });

    it('each route has its own requirements', async () => {
      const test = await apiKeyOf(harness, user, { environment: 'test', scopes: ['read'] });
      const writer = await apiKeyOf(harness, user, { scopes: ['read', 'write'] });
      expect(await statusOf('/v1/admin/x', bearer(key.key))).to.equal(403);
      expect(await statusOf('/v1/admin/x', bearer(writer.key))).to.equal(200);
      expect(await statusOf('/v1/notes', bearer(test.key))).to.equal(401);
      expect(await statusOf('/sandbox/x', bearer(test.key))).to.equal(200);
      expect(await statusOf('/sandbox/x', bearer(key.key))).to.equal(401);
    });

    it('a caller cannot add to the question, or ask it', async () => {
      const known = upstream.arrivals.length;
      expect(await statusOf('/_gatehouse/', bearer(key.key))).to.equal(404);
      expect(await statusOf('/_gatehouse/scope=read', bearer(key.key))).to.equal(404);
      expect(await statusOf('/v1/admin/x?scope=read&mode=nginx&environment=test', bearer(key.key))).to.equal(403);
      expect(await statusOf('/v1/admin/%26scope=', bearer(key.key))).to.equal(403);
      const lies = {
        'X-Gatehouse-Require': 'scope=nothing',
        'X-Original-Method': 'GET',
        'X-Original-URI': '/elsewhere',
      };
      expect(await statusOf(`/v1/notes?api_key=${key.key}`, { ...lies, ...bearer(key.key) })).to.equal(400);
      expect(upstream.arrivals).to.have.length(known);
      expect(await statusOf('/v1/notes', { ...lies, ...bearer(key.key) })).to.equal(200);
    });

    it('refusals reach the caller as Gatehouse wrote them', async () => {
      const known = upstream.arrivals.length;
      const nothing = await ask('/v1/notes');
      expect(nothing.status).to.equal(401);
      expect(nothing.headers.get('content-type')).to.include('application/problem+json');
      expect(nothing.headers.get('cache-control')).to.equal('no-store');
      expect(nothing.headers.get('www-authenticate')).to.match(/^Bearer realm="[^"]+"(?!.*Bearer)/);
      expect(await nothing.json()).to.include({ status: 401, code: 'unauthenticated' });

      const lacking = await ask('/v1/admin/x', bearer(key.key));
      expect(lacking.headers.get('www-authenticate')).to.match(
        /^Bearer (?!.*Bearer).*error="insufficient_scope", scope="read write"/,
      );
      expect(await lacking.json()).to.include({ status: 403, required_scope: 'write' });

      const inUrl = await ask(`/v1/notes?api_key=${key.key}`);
      expect(inUrl.status).to.equal(400);
      expect(await inUrl.json()).to.include({ status: 400, code: 'invalid_request' });
      const two = await ask('/v1/notes', { ...bearer(key.key), 'x-api-key': 'gh_live_another' });
      expect(two.status).to.equal(400);
      expect(upstream.arrivals).to.have.length(known);
    });

    it('a limit is shown while there is some left, and with when to come back once there is not', async () => {
      const limited = await apiKeyOf(harness, user, { scopes: ['read'], limit: { quota: 2, window_seconds: 3600 } });
      for (const _ of [1, 2]) expect(await statusOf('/v1/notes', bearer(limited.key))).to.equal(200);
      const third = await ask('/v1/notes', bearer(limited.key));
      expect(third.status).to.equal(429);
      expect(Number(third.headers.get('retry-after'))).to.be.within(1, 3600);
      expect(third.headers.get('ratelimit')).to.include('r=0');
      expect(third.headers.get('ratelimit-policy')).to.include('q=2;w=3600');
      expect(await third.json()).to.include({ code: 'rate_limit_exceeded' });
    });

    it("the API's own errors stay its own", async () => {
      for (const status of [400, 401, 403, 429, 500, 503]) {
        const reply = await ask(`/v1/notes?status=${status}`, bearer(key.key));
        expect(reply.status).to.equal(status);
        expect(await reply.text()).to.equal("the upstream's own");
      }
    });

    it('a revoked key is refused at once', async () => {
      const doomed = await apiKeyOf(harness, user, { scopes: ['read'] });
      expect(await statusOf('/v1/notes', bearer(doomed.key))).to.equal(200);
      good(await json(harness, 'DELETE', `/v1/api-keys/${doomed.id}`, undefined, bearer(user.token)));
      await until('the refusal', 1, async () => (await statusOf('/v1/notes', bearer(doomed.key))) === 401);
    });

    it('publishes where to get a token', async () => {
      const reply = await ask('/.well-known/oauth-protected-resource');
      expect(reply.headers.get('content-type')).to.include('application/json');
      expect(reply.headers.get('access-control-allow-origin')).to.equal('*');
      expect(await reply.json())
        .to.include({ resource: API })
        .and.deep.include({ authorization_servers: [ISSUER] });
    });

    it('lets nothing pass while Gatehouse is away or does not answer', async () => {
      const known = upstream.arrivals.length;
      for (const outage of [() => network.cut(), () => network.pause()]) {
        await outage();
        const reply = await ask('/v1/notes', bearer(key.key)).finally(() => network.restore());
        // nginx cannot tell a slow Gatehouse from one that is away; Caddy says 504 for the first.
        expect(reply.status).to.be.oneOf([whenAway, 504]);
        if (kind === 'nginx') expect(reply.headers.get('retry-after')).to.equal('1');
      }
      expect(upstream.arrivals).to.have.length(known);
      await until('a good answer', 10, async () => (await statusOf('/v1/notes', bearer(key.key))) === 200);
    });
  });
}
