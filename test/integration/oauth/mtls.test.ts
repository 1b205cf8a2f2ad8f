import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { type Listener, listen } from '../../../src/http/server.ts';
import {
  authorize,
  basic,
  claimsOf,
  createClient,
  createResource,
  introspect,
  type TestClient,
} from '../../support/builders.ts';
import { type Identity, makeIdentity } from '../../support/certificates.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { freePort } from '../../support/free-port.ts';
import { type Fields, formBody, type Harness, type Reply, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import type { ServerProcess } from '../../support/servers/server-process.ts';

const HEADER = 'Client-Cert';

const outcome = ({ status, json }: Reply): string => (status === 200 ? '200' : `${status} ${json().error}`);

describe('client certificates', () => {
  let folder: string;
  let server: Identity;
  let own: Identity;
  let other: Identity;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-certificates-'));
    server = makeIdentity(folder, 'localhost');
    own = makeIdentity(folder, 'own');
    other = makeIdentity(folder, 'other');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Sends a form over TLS, with or without a certificate. */
  async function post(
    harness: Harness,
    port: number,
    path: string,
    fields: Fields,
    {
      by,
      headers = {},
      agent,
    }: { by?: Identity | undefined; headers?: Record<string, string | string[]>; agent?: Agent } = {},
  ): Promise<Reply & { resumed: boolean }> {
    let resumed = false;
    const reply = await new Promise<Reply>((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: 'localhost',
          port,
          path,
          method: 'POST',
          ca: server.cert,
          ...(by ? { cert: by.cert, key: by.key } : {}),
          agent: agent ?? false,
          headers: {
            host: new URL(harness.issuer).host,
            'content-type': 'application/x-www-form-urlencoded',
            ...headers,
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const { statusCode: status = 0, headers: answered } = incoming;
            resolve({ status, headers: answered, cookies: [], text, json: () => JSON.parse(text) });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.on('socket', (socket) => {
        socket.on('secureConnect', () => {
          resumed = (socket as TLSSocket).isSessionReused();
        });
      });
      outgoing.end(formBody(fields));
    });
    if (reply.text.includes('access_token')) harness.keepSecret(reply.json().access_token);
    return { ...reply, resumed };
  }

  interface World {
    harness: Harness;
    api: TestClient;
    /** Authenticates by certificate. */
    byCertificate: TestClient;
    /** Authenticates by a secret; its tokens are bound. */
    bound: TestClient;
  }

  async function createParties(harness: Harness): Promise<World> {
    const { identifier, api } = await createResource(harness);
    const machine = { grantTypes: ['client_credentials'], resources: [identifier], scopes: ['read'] } as const;
    return {
      harness,
      api,
      byCertificate: await createClient(harness, {
        ...machine,
        authMethod: 'self_signed_tls_client_auth',
        certificateThumbprints: ['A'.repeat(43), own.thumbprint],
      }),
      bound: await createClient(harness, { ...machine, tokenBinding: 'mtls' }),
    };
  }
  const GRANT = { grant_type: 'client_credentials' };
  const bySecret = ({ id, secret }: TestClient) => ({ authorization: basic(id, secret ?? '') });

  describe('when this server ends TLS', () => {
    let world: World;
    let port: number;
    let listener: Listener;
    before(async () => {
      world = await createParties(await startHarness());
      port = await freePort();
      listener = await listen({
        handler: world.harness.app.handler,
        port,
        hosts: ['127.0.0.1'],
        tls: { certFile: server.certFile, keyFile: server.keyFile },
        maxHeaderBytes: 65_536,
        onUnreadable: world.harness.app.onUnreadable,
      });
    });
    after(async () => {
      await listener?.close(0);
      await world?.harness[Symbol.asyncDispose]();
    });

    type Options = Parameters<typeof post>[4];
    const ask = (fields: Fields, options?: Options) =>
      post(world.harness, port, '/oauth2/token', { ...GRANT, ...fields }, options);
    const withCertificate = (by?: Identity, options: Options = {}) =>
      ask({ client_id: world.byCertificate.id }, { ...options, by });
    const asBound = (options: Options = {}) =>
      ask({}, { ...options, headers: { ...bySecret(world.bound), ...options.headers } });

    it('authenticate the client that registered them, though nobody vouches for them', async () => {
      const reply = await withCertificate(own);
      expect([outcome(reply), reply.json().token_type]).to.deep.equal(['200', 'Bearer']);
      const facts = (await introspect(world.harness, world.api, reply.json().access_token)).json();
      expect(facts).to.include({ active: true, client_id: world.byCertificate.id });
      expect(facts).to.not.have.property('cnf');
    });

    it('of others, or none at all, do not', async () => {
      for (const by of [other, undefined]) expect(outcome(await withCertificate(by))).to.equal('401 invalid_client');
      // Same name, other key.
      expect(outcome(await withCertificate(makeIdentity(folder, 'own-again')))).to.equal('401 invalid_client');
      const events = await world.harness.services.stores.audit.list({ limit: 10 });
      const reasons = events
        .filter(({ type }) => type === 'client.authentication_failed')
        .map(({ details }) => details);
      expect(reasons).to.deep.include.members([
        { reason: 'the certificate is not registered' },
        { reason: 'no client certificate' },
      ]);
    });

    it('are the only thing such a client may authenticate with', async () => {
      const { id } = world.byCertificate;
      expect(outcome(await ask({ client_id: id, client_secret: 'x' }, { by: own }))).to.equal('401 invalid_client');
      const headers = { authorization: basic(id, 'x') };
      expect(outcome(await ask({}, { by: own, headers }))).to.equal('401 invalid_client');
      expect(outcome(await ask({}, { by: own }))).to.equal('400 invalid_request');
    });

    it('do not authenticate a client that registered something else', async () => {
      expect(outcome(await ask({ client_id: world.bound.id }, { by: own }))).to.equal('401 invalid_client');
    });

    it('authenticate at introspection and revocation too', async () => {
      const { access_token: accessToken } = (await withCertificate(own)).json();
      const fields = { client_id: world.byCertificate.id, token: accessToken };
      const asked = (path: string, by?: Identity) => post(world.harness, port, path, fields, { by });
      expect((await asked('/oauth2/introspect', own)).json().active).to.equal(true);
      expect((await asked('/oauth2/introspect', other)).status).to.equal(401);
      expect((await asked('/oauth2/revoke', other)).status).to.equal(401);
      expect((await asked('/oauth2/revoke', own)).status).to.equal(200);
      expect((await asked('/oauth2/introspect', own)).json()).to.deep.equal({ active: false });
    });

    it('authenticate at the code and refresh grants', async () => {
      const client = await createClient(world.harness, {
        authMethod: 'self_signed_tls_client_auth',
        certificateThumbprints: [own.thumbprint],
      });
      const { request, code } = await authorize(world.harness, client, { scope: 'openid offline_access' });
      const redeem = {
        client_id: client.id,
        grant_type: 'authorization_code',
        code,
        redirect_uri: request.redirectUri,
        code_verifier: request.verifier,
      };
      expect(outcome(await ask(redeem, { by: other }))).to.equal('401 invalid_client');
      const redeemed = await ask(redeem, { by: own });
      expect(outcome(redeemed)).to.equal('200');
      const refresh = {
        client_id: client.id,
        grant_type: 'refresh_token',
        refresh_token: redeemed.json().refresh_token,
      };
      expect(outcome(await ask(refresh))).to.equal('401 invalid_client');
      expect(outcome(await ask(refresh, { by: own }))).to.equal('200');
    });

    it('bind the tokens of a client that has to have them bound, whichever certificate it is', async () => {
      for (const by of [own, other]) {
        const reply = await asBound({ by });
        expect([outcome(reply), reply.json().token_type]).to.deep.equal(['200', 'Bearer']);
        const facts = (await introspect(world.harness, world.api, reply.json().access_token)).json();
        expect(facts).to.deep.include({ token_type: 'Bearer', cnf: { 'x5t#S256': by.thumbprint } });
      }
    });

    it('bind JWT tokens in their cnf claim', async () => {
      const { identifier } = await createResource(world.harness, { accessTokenFormat: 'jwt' });
      const client = await createClient(world.harness, {
        grantTypes: ['client_credentials'],
        resources: [identifier],
        tokenBinding: 'mtls',
      });
      const reply = await ask({}, { by: own, headers: bySecret(client) });
      expect(claimsOf(reply.json().access_token).cnf).to.deep.equal({ 'x5t#S256': own.thumbprint });
    });

    it('are missed when a client that needs one has none, or sends a DPoP proof instead', async () => {
      expect(outcome(await asBound())).to.equal('400 invalid_request');
      const dpop = await proofFor(world.harness.url('/oauth2/token'), await createProofKeys());
      expect(outcome(await asBound({ headers: { dpop } }))).to.equal('400 invalid_request');
      expect(outcome(await asBound({ by: own, headers: { dpop } }))).to.equal('400 invalid_request');
    });

    it('count on a connection that resumes a TLS session as on the first', async () => {
      const agent = new Agent({ keepAlive: false, maxCachedSessions: 1 });
      const replies = [await withCertificate(own, { agent }), await withCertificate(own, { agent })];
      expect(replies.map(({ resumed }) => resumed)).to.deep.equal([false, true]);
      expect(replies.map(outcome)).to.deep.equal(['200', '200']);
    });

    it('in a header are not believed', async () => {
      for (const value of [`:${own.der.toString('base64')}:`, encodeURIComponent(own.cert)]) {
        const headers = { [HEADER]: value };
        expect(outcome(await withCertificate(undefined, { headers }))).to.equal('401 invalid_client');
        expect(outcome(await asBound({ headers }))).to.equal('400 invalid_request');
      }
    });
  });

  describe('behind a proxy that hands them over', () => {
    let world: World;
    let port: number;
    let nginx: ServerProcess;
    before(async function () {
      const startNginx = await requirePart('nginx', this);
      world = await createParties(
        await startHarness({
          env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1', GATEHOUSE_CLIENT_CERTIFICATE_HEADER: HEADER },
        }),
      );
      port = await freePort();
      const { host } = new URL(world.harness.issuer);
      nginx = await startNginx({
        locations: `
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${server.certFile};
    ssl_certificate_key ${server.keyFile};
    ssl_verify_client optional_no_ca;
    location / {
      proxy_pass http://127.0.0.1:${world.harness.config.port};
      proxy_set_header Host ${host};
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header ${HEADER} $ssl_client_escaped_cert;
    }`,
      });
    });
    after(async () => {
      await nginx?.stop();
      await world?.harness[Symbol.asyncDispose]();
    });

    const ask = (fields: Fields, options: Parameters<typeof post>[4] = {}) =>
      post(world.harness, port, '/oauth2/token', { ...GRANT, ...fields }, options);

    it('authenticate and bind as they do without it', async () => {
      const { id } = world.byCertificate;
      expect(outcome(await ask({ client_id: id }, { by: own }))).to.equal('200');
      for (const by of [other, undefined])
        expect(outcome(await ask({ client_id: id }, { by }))).to.equal('401 invalid_client');
      const reply = await ask({}, { by: other, headers: bySecret(world.bound) });
      const facts = (await introspect(world.harness, world.api, reply.json().access_token)).json();
      expect(facts.cnf).to.deep.equal({ 'x5t#S256': other.thumbprint });
    });

    it('cannot be claimed by a client that sends the header itself', async () => {
      const headers = { [HEADER]: encodeURIComponent(own.cert) };
      const fields = { client_id: world.byCertificate.id };
      for (const by of [other, undefined])
        expect(outcome(await ask(fields, { by, headers }))).to.equal('401 invalid_client');
    });

    /** As the proxy itself. */
    const asProxy = (value: string | string[]): Promise<Reply> =>
      world.harness.send('/oauth2/token', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', [HEADER]: value },
        body: formBody({ ...GRANT, client_id: world.byCertificate.id }),
      });

    it('are read as RFC 9440 has them, too', async () => {
      const binary = ({ der }: Identity) => `:${der.toString('base64')}:`;
      expect(outcome(await asProxy(binary(own)))).to.equal('200');
      expect(outcome(await asProxy(binary(other)))).to.equal('401 invalid_client');
    });

    it('are nobody when the header is not one certificate', async () => {
      const escaped = encodeURIComponent(own.cert);
      const der = own.der.toString('base64');
      for (const value of [
        [escaped, escaped],
        [escaped, ''],
        [encodeURIComponent(other.cert), escaped],
        `${escaped}, ${encodeURIComponent(other.cert)}`,
        `:${der}:, :${der}:`,
        `:${der}`,
        ':AAAA:',
        '::',
        '%',
        '%E2%82',
        'x',
        own.thumbprint,
        encodeURIComponent(own.key),
      ])
        expect([value, outcome(await asProxy(value))]).to.deep.equal([value, '401 invalid_client']);
    });

    it('are those of the client, never of the proxy', async () => {
      const direct = await freePort();
      const { certFile, keyFile } = server;
      const { handler, onUnreadable } = world.harness.app;
      const listener = await listen({
        handler,
        port: direct,
        hosts: ['127.0.0.1'],
        tls: { certFile, keyFile },
        maxHeaderBytes: 65_536,
        onUnreadable,
      });
      try {
        const fields = { ...GRANT, client_id: world.byCertificate.id };
        const reply = await post(world.harness, direct, '/oauth2/token', fields, { by: own });
        expect(outcome(reply)).to.equal('401 invalid_client');
      } finally {
        await listener.close(0);
      }
    });

    it('are in the metadata', async () => {
      const metadata = (await world.harness.get('/.well-known/oauth-authorization-server')).json();
      expect(metadata.tls_client_certificate_bound_access_tokens).to.equal(true);
      expect(metadata.token_endpoint_auth_methods_supported).to.include('self_signed_tls_client_auth');
      const again = (await world.harness.get('/.well-known/openid-configuration')).json();
      expect(again).to.deep.equal(metadata);
    });
  });

  describe('in the header of somebody who is no trusted proxy', () => {
    for (const [what, env] of Object.entries({
      'because others are': { GATEHOUSE_CLIENT_CERTIFICATE_HEADER: HEADER, GATEHOUSE_TRUSTED_PROXIES: '10.0.0.0/8' },
      'because the header has another name': {
        GATEHOUSE_CLIENT_CERTIFICATE_HEADER: 'X-Other',
        GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
      },
      'because no header is configured': { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
    } as Record<string, Record<string, string>>)) {
      it(`mean nothing, ${what}`, async () => {
        await using harness = await startHarness({ env });
        const { byCertificate, bound } = await createParties(harness);
        const headers = { [HEADER]: encodeURIComponent(own.cert), 'x-forwarded-for': '127.0.0.1' };
        const claimed = await harness.post('/oauth2/token', { ...GRANT, client_id: byCertificate.id }, headers);
        expect(outcome(claimed)).to.equal('401 invalid_client');
        const asked = await harness.post('/oauth2/token', GRANT, { ...headers, ...bySecret(bound) });
        expect(outcome(asked)).to.equal('400 invalid_request');
      });
    }

    it('are not offered in the metadata of a server that never sees one', async () => {
      await using harness = await startHarness();
      const metadata = (await harness.get('/.well-known/oauth-authorization-server')).json();
      expect(metadata).to.not.have.property('tls_client_certificate_bound_access_tokens');
      expect(metadata.token_endpoint_auth_methods_supported).to.not.include('self_signed_tls_client_auth');
    });
  });
});
