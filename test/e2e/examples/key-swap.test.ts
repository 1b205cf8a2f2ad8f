import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { apiKeyOf, bearer, good, json, signedIn } from '../../integration/dialects/published-api.ts';
import { basic, createClient } from '../../support/builders.ts';
import { makeIdentity } from '../../support/certificates.ts';
import { createPortFetch, type PortFetch } from '../../support/e2e-fetch.ts';
import { until } from '../../support/e2e-load.ts';
import { freePort } from '../../support/free-port.ts';
import { type Harness, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import type { ServerProcess } from '../../support/servers/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { adapted } from './adapted.ts';
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts';

const GATEWAY = 'https://llm.example.com';
const STORED = 'sk-stored-openai-key-0123456789';
const STORED_ANTHROPIC = 'sk-ant-stored-0123456789abcdef';
const PASSED = 'sk-passed-openai-key-0123456789';

describe('the nginx example that swaps keys', () => {
  let harness: Harness;
  let network: TcpProxy;
  let provider: RecordingUpstream;
  let nginx: ServerProcess;
  let outside: PortFetch;
  let user: Awaited<ReturnType<typeof signedIn>>;
  let key: { key: string; id: string };

  before(async function () {
    const startNginx = await requirePart('nginx', this);
    // The one whose callers may send a provider key along.
    harness = await startHarness({
      env: {
        ISSUER: 'https://auth.example.com',
        GATEHOUSE_DIALECT: 'memoryrouter',
        GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
      },
      demo: false,
    });
    network = await startTcpProxy(harness.config.port);
    provider = await startRecordingUpstream();
    const gateway = await createClient(harness, {
      grantTypes: ['client_credentials'],
      scopes: ['provider-keys:use'],
      resources: [harness.issuer],
    });
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-example-'));
    const { certFile, keyFile, cert } = makeIdentity(folder, 'gateway', 'llm.example.com');
    const credentials = join(folder, 'gateway.conf');
    const authorization = basic(gateway.id, gateway.secret ?? '');
    harness.keepSecret(authorization.split(' ')[1]);
    writeFileSync(credentials, `proxy_set_header X-Gateway-Authorization "${authorization}";\n`, { mode: 0o644 });
    const port = await freePort();
    nginx = await startNginx({
      http: adapted('nginx/key-swap.conf', {
        'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
        '/etc/ssl/llm.example.com.pem': certFile,
        '/etc/ssl/llm.example.com.key': keyFile,
        '/etc/ssl/certs/ca-certificates.crt': certFile,
        'include /etc/nginx/gatehouse-gateway.conf': `include ${credentials}`,
        '127.0.0.1:3000': `127.0.0.1:${network.port}`,
        'https://api.openai.com/': `http://${provider.address}/`,
        'https://api.anthropic.com/': `http://${provider.address}/`,
      }),
    });
    rmSync(folder, { recursive: true });
    outside = createPortFetch(port, { ca: cert });
    for (const secret of [STORED, STORED_ANTHROPIC, PASSED]) harness.keepSecret(secret);
    user = await signedIn(harness);
    key = await apiKeyOf(harness, user);
    for (const [name, value] of [
      ['openai', STORED],
      ['anthropic', STORED_ANTHROPIC],
    ]) {
      good(await json(harness, 'POST', '/v1/provider-keys', { provider: name, value }, bearer(user.token)));
    }
  });
  after(async () => {
    outside?.close();
    await nginx?.stop();
    await provider?.close();
    await network?.close();
    await harness?.[Symbol.asyncDispose]();
  });

  const chat = (headers: Record<string, string>, path = '/openai/v1/chat/completions?stream=1') =>
    outside.fetch(GATEWAY + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"model":"gpt-4o"}',
    });

  for (const [where, headersOf] of [
    ['Authorization', bearer],
    ['X-API-Key', (text: string) => ({ 'x-api-key': text })],
    ['X-Memory-Key', (text: string) => ({ 'x-memory-key': text })],
  ] as const) {
    it(`with a credential in ${where}, the provider gets the stored key and nothing of ours`, async () => {
      const reply = await chat({
        ...headersOf(key.key),
        cookie: 'session=root',
        'X-Auth-Subject': 'usr_root',
        X_Auth_Subject: 'usr_root',
        'X-Upstream-Authorization': 'Bearer root',
        'X-Gateway-Authorization': 'Basic root',
        'X-Forwarded-For': '203.0.113.77',
      });
      expect(reply.status).to.equal(200);
      expect(reply.headers.get('x-upstream-key-source')).to.equal('stored');
      expect(reply.headers.has('set-cookie')).to.equal(false);
      const arrival = provider.arrivals.at(-1);
      expect(arrival).to.include({ method: 'POST', url: '/v1/chat/completions?stream=1', body: '{"model":"gpt-4o"}' });
      expect(arrival?.headers).to.include({ authorization: `Bearer ${STORED}`, host: 'api.openai.com' });
      expect(Object.keys(arrival?.headers ?? {})).to.have.members(
        ['host', 'authorization', 'content-type', 'content-length'].concat(arrival?.headers.accept ? ['accept'] : []),
      );
      expect(arrival?.raw).not.to.match(/root|mk_|203\.0\.113/);
    });
  }

  it('a key that the provider expects in another header goes there', async () => {
    expect(
      (await chat({ ...bearer(key.key), 'anthropic-version': '2023-06-01' }, '/anthropic/v1/messages')).status,
    ).to.equal(200);
    const arrival = provider.arrivals.at(-1);
    expect(arrival?.headers).to.include({ 'x-api-key': STORED_ANTHROPIC, 'anthropic-version': '2023-06-01' });
    expect(arrival?.headers).not.to.have.property('authorization');
    expect(arrival?.raw).not.to.include('mk_');
  });

  it('a provider key that came along is passed through, and wins', async () => {
    for (const headers of [
      { 'x-memory-key': key.key, ...bearer(PASSED) },
      { ...bearer(key.key), 'x-provider-key': PASSED },
    ]) {
      const reply = await chat(headers as Record<string, string>);
      expect(reply.status).to.equal(200);
      expect(reply.headers.get('x-upstream-key-source')).to.equal('passed-through');
      expect(provider.arrivals.at(-1)?.headers.authorization).to.equal(`Bearer ${PASSED}`);
      expect(provider.arrivals.at(-1)?.raw).not.to.include('mk_');
    }
  });

  it('without a credential, a stored key or the scope, nothing reaches the provider', async () => {
    const stranger = await signedIn(harness);
    const { key: without } = await apiKeyOf(harness, stranger);
    const { key: reader } = await apiKeyOf(harness, user, { scopes: ['read'] });
    const known = provider.arrivals.length;
    expect((await chat({})).status).to.equal(401);
    expect((await chat(bearer(PASSED))).status).to.equal(401);
    expect((await chat(bearer(reader))).status).to.equal(403);
    const missing = await chat(bearer(without));
    expect(missing.status).to.equal(400);
    expect(await missing.json()).to.have.property('error', 'No API key configured for provider: openai');
    expect((await chat({ 'x-memory-key': key.key, 'x-api-key': without })).status).to.equal(400);
    expect((await chat(bearer(key.key), '/openai/v1/models?environment=live&provider=anthropic')).status).to.equal(200);
    expect(provider.arrivals.at(-1)?.headers.authorization).to.equal(`Bearer ${STORED}`);
    expect(provider.arrivals).to.have.length(known + 1);
  });

  it('no answer to the caller holds a provider key', async () => {
    for (const headers of [bearer(key.key), {}, bearer(PASSED)] as Record<string, string>[]) {
      const reply = await chat(headers);
      const everything = JSON.stringify([...reply.headers]) + (await reply.text());
      expect(everything).not.to.match(/sk-|x-upstream-(authorization|key"|key,)/);
    }
  });

  it('a revoked key, or a deleted provider key, works no longer', async () => {
    const doomed = await apiKeyOf(harness, user);
    expect((await chat(bearer(doomed.key))).status).to.equal(200);
    good(await json(harness, 'DELETE', `/v1/api-keys/${doomed.id}`, undefined, bearer(user.token)));
    await until('the refusal', 1, async () => (await chat(bearer(doomed.key))).status === 401);

    const other = await signedIn(harness);
    const { key: theirs } = await apiKeyOf(harness, other);
    const stored = good(
      await json(
        harness,
        'POST',
        '/v1/provider-keys',
        { provider: 'openai', value: `${STORED}-2` },
        bearer(other.token),
      ),
    );
    harness.keepSecret(`${STORED}-2`);
    expect((await chat(bearer(theirs))).status).to.equal(200);
    good(await json(harness, 'DELETE', `/v1/provider-keys/${stored.id}`, undefined, bearer(other.token)));
    expect((await chat(bearer(theirs))).status).to.equal(400);
  });

  it('lets nothing pass while Gatehouse is away', async () => {
    const known = provider.arrivals.length;
    await network.cut();
    const reply = await chat(bearer(key.key)).finally(() => network.restore());
    expect(reply.status).to.equal(503);
    expect(reply.headers.get('retry-after')).to.equal('1');
    expect(provider.arrivals).to.have.length(known);
  });
});
