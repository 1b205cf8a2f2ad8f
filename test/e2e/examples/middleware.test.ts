import { get as httpGet } from 'node:http';
import { expect } from 'chai';
import { type CryptoKey, SignJWT } from 'jose';
import { apiKeyOf, bearer, good, json, signedIn } from '../../integration/dialects/published-api.ts';
import { createClient, createResource, revoke, type TestClient, token } from '../../support/builders.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { until } from '../../support/e2e-load.ts';
import { freePort } from '../../support/free-port.ts';
import { type Harness, startHarness } from '../../support/harness.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { type ExampleApi, KINDS, type Mode, startExampleApi } from './example-api.ts';

/** Fails from the first request on; the last answer within its seconds is what counts. */
const REVOCATION_SECONDS = 5;

for (const kind of KINDS) {
  describe(`the ${kind} example`, () => {
    let harness: Harness;
    /** The network between the API and Gatehouse. */
    let network: TcpProxy;
    let user: Awaited<ReturnType<typeof signedIn>>;
    const apis = {} as Record<Mode, ExampleApi & { resource: string; client: TestClient; other: string }>;

    before(async function () {
      const issuerPort = await freePort();
      harness = await startHarness({
        env: { ISSUER: `http://127.0.0.1:${issuerPort}` },
      });
      network = await startTcpProxy(harness.config.port, '127.0.0.1', issuerPort);
      user = await signedIn(harness);
      for (const mode of ['local', 'remote', 'auto'] as const) {
        const apiPort = await freePort();
        const resource = `http://localhost:${apiPort}/v1`;
        // Only Gatehouse can read an opaque token.
        const format = { accessTokenFormat: mode === 'remote' ? 'opaque' : 'jwt' } as const;
        const own = await createResource(harness, { identifier: resource, ...format });
        const { identifier: other } = await createResource(harness, format);
        const client = await createClient(harness, {
          grantTypes: ['client_credentials'],
          scopes: ['read', 'write'],
          resources: [resource, other],
        });
        const api = await startExampleApi(this, kind, {
          ...{ issuer: harness.issuer, resource, mode, port: apiPort },
          client: own.api,
        });
        apis[mode] = Object.assign(api, { resource, client, other });
      }
    });
    after(async () => {
      for (const api of Object.values(apis)) await api.stop();
      await network?.close();
      await harness?.[Symbol.asyncDispose]();
    });

    type Answer = {
      status: number;
      headers: Headers;
      text: string; // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
      body: any;
    };
    async function ask(
      mode: Mode,
      path: string,
      headers: Record<string, string> = {},
      init: RequestInit = {},
    ): Promise<Answer> {
      const response = await fetch(apis[mode].url + path, { headers, ...init });
      const text = await response.text();
      const body = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {};
      return { status: response.status, headers: response.headers, text, body };
    }
    async function tokenFor(mode: Mode, scope = 'read', resource = apis[mode].resource): Promise<string> {
      const fields = { grant_type: 'client_credentials', scope, resource };
      return good(await token(harness, apis[mode].client, fields)).access_token;
    }
    const metadataUrl = (mode: Mode): string =>
      apis[mode].resource.replace('/v1', '/.well-known/oauth-protected-resource/v1');
    const challenge = (mode: Mode, parts = ''): string => `Bearer ${parts}resource_metadata="${metadataUrl(mode)}"`;
    const questions = (): number => harness.log.filter(({ route }) => route === 'api /v1/auth/verify').length;

    for (const mode of ['local', 'remote', 'auto'] as const) {
      describe(`in mode ${mode}`, () => {
        it('lets a token for it pass and says whose it is', async () => {
          const { status, body } = await ask(mode, '/v1/whoami', bearer(await tokenFor(mode, 'read write')));
          expect(status).to.equal(200);
          expect(body.auth).to.include({
            method: 'access_token',
            subject: apis[mode].client.id,
            subject_type: 'client',
            client_id: apis[mode].client.id,
            audience: apis[mode].resource,
            key_id: null,
          });
          expect(body.auth).to.have.property('scopes').that.has.members(['read', 'write']);
          expect(body.auth)
            .to.have.property('expires_at')
            .that.matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        });

        it('sends who comes without a credential to its metadata, and to Gatehouse from there', async () => {
          const { status, headers } = await ask(mode, '/v1/notes');
          expect(status).to.equal(401);
          expect(headers.get('www-authenticate')).to.equal(challenge(mode, 'scope="read", '));
          expect(headers.get('cache-control')).to.equal('no-store');
          for (const path of ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/v1']) {
            const found = await ask(mode, path);
            expect(found.status).to.equal(200);
            expect(found.headers.get('access-control-allow-origin')).to.equal('*');
            expect(found.body).to.deep.equal({
              resource: apis[mode].resource,
              authorization_servers: [harness.issuer],
              bearer_methods_supported: ['header'],
              scopes_supported: ['read', 'write'],
            });
          }
        });

        it('refuses a token without the scope, and names the scope', async () => {
          const read = bearer(await tokenFor(mode));
          expect((await ask(mode, '/v1/notes', read)).status).to.equal(200);
          const { status, headers, body } = await ask(mode, '/v1/notes', read, {
            method: 'POST',
            headers: { ...read, 'content-type': 'application/json' },
            body: '{"text":"x"}',
          });
          expect(status).to.equal(403);
          expect(headers.get('www-authenticate')).to.equal(
            challenge(mode, 'error="insufficient_scope", scope="write", '),
          );
          expect(body.code).to.equal('insufficient_scope');
          expect((await ask(mode, '/v1/notes', read)).body).to.deep.equal({ notes: [] });
        });

        it('refuses a token for another API', async () => {
          const { status, headers } = await ask(
            mode,
            '/v1/whoami',
            bearer(await tokenFor(mode, 'read', apis[mode].other)),
          );
          expect(status).to.equal(401);
          expect(headers.get('www-authenticate')).to.equal(challenge(mode, 'error="invalid_token", '));
        });

        it('takes a sign-in, which is for the whole product', async () => {
          const { status, body } = await ask(mode, '/v1/notes', bearer(user.token));
          expect(status).to.equal(200);
          expect(body.notes).to.be.an('array');
          const who = await ask(mode, '/v1/whoami', bearer(user.token));
          expect(who.body.auth).to.include({
            method: 'login',
            subject: user.id,
            client_id: null,
            audience: harness.issuer,
          });
        });

        it('refuses what is no good credential, always in the same words', async () => {
          const good = await tokenFor(mode);
          const answers = new Set<string>();
          for (const bad of [`${good}x`, `x${good}`, 'nonsense', 'eyJ.e.e', 'gh_live_0000', `gat_${'a'.repeat(43)}`]) {
            const { status, body } = await ask(mode, '/v1/whoami', bearer(bad));
            expect(status, bad).to.equal(401);
            if (mode === 'remote') answers.add(body.detail);
          }
          expect([...answers]).to.have.length(mode === 'remote' ? 1 : 0);
          for (const authorization of ['Basic eDp5', 'Bearer', 'Bearer a b', good]) {
            expect((await ask(mode, '/v1/whoami', { authorization })).status, authorization).to.equal(401);
          }
        });

        it('refuses credentials in the URL, and two at once', async () => {
          const good = await tokenFor(mode);
          for (const name of ['access_token', 'api_key', 'API-Key']) {
            const { status } = await ask(mode, `/v1/whoami?x=1&${name}=${good}`, bearer(good));
            expect(status, name).to.equal(400);
          }
          const two = await ask(mode, '/v1/whoami', { ...bearer(good), 'x-api-key': 'gh_live_another' });
          expect(two.status).to.equal(400);
          expect(two.headers.get('www-authenticate')).to.equal(challenge(mode, 'error="invalid_request", '));
          expect((await ask(mode, '/v1/whoami', { ...bearer(good), 'x-api-key': good })).status).to.equal(200);
        });

        it('hides X-Auth-* headers of the caller from the handlers', async () => {
          const { status, body } = await ask(mode, '/v1/whoami', {
            ...bearer(await tokenFor(mode)),
            'X-Auth-Subject': 'usr_root',
            X_Auth_Subject: 'usr_root',
            'x-auth-scopes': 'admin',
            'X-Other': 'kept',
          });
          expect(status).to.equal(200);
          expect(body.headers).to.include('x-other');
          expect((body.headers as string[]).filter((name) => /auth.(subject|scopes)/i.test(name))).to.deep.equal([]);
          expect(JSON.stringify(body)).not.to.include('root');
        });
      });
    }

    for (const mode of ['local', 'auto'] as const) {
      describe(`reading tokens itself, in mode ${mode}`, () => {
        it('refuses tokens that are not access tokens of Gatehouse, however well signed', async () => {
          const { kid, privateKey } = harness.services.keySet.signer('ES256');
          const rs256 = harness.services.keySet.signer('RS256');
          const now = Math.floor(Date.now() / 1000);
          const { resource } = apis[mode];
          const made = (claims: object, header: object = {}, key: unknown = privateKey): Promise<string> =>
            new SignJWT({
              ...{
                iss: harness.issuer,
                aud: resource,
                sub: 'usr_1',
                client_id: 'c',
                jti: 'j',
                iat: now,
                exp: now + 60,
              },
              ...{ scope: 'read', ...claims },
            })
              .setProtectedHeader({ typ: 'at+jwt', alg: 'ES256', kid, ...header })
              .sign(key as CryptoKey);

          expect((await ask(mode, '/v1/whoami', bearer(await made({})))).status).to.equal(200);
          const bad = {
            expired: await made({ exp: now - 1 }),
            'of another issuer': await made({ iss: 'https://elsewhere.example' }),
            'for nobody': await made({ aud: undefined }),
            'for Gatehouse, of another client than itself': await made({ aud: harness.issuer }),
            'for a longer name': await made({ aud: `${resource}/more` }),
            'without end': await made({ exp: undefined }),
            'without client': await made({ client_id: undefined }),
            'without subject': await made({ sub: undefined }),
            'an id token': await made({}, { typ: 'JWT' }),
            'without type': await made({}, { typ: undefined }),
            'of an unknown key': await made({}, { kid: 'unknown' }),
            'of no key': await made({}, { kid: undefined }),
            'signed as id tokens are': await made({}, { alg: 'RS256', kid: rs256.kid }, rs256.privateKey),
            'signed with a shared secret': await made({}, { alg: 'HS256' }, new Uint8Array(32)),
            unsigned: `${Buffer.from('{"typ":"at+jwt","alg":"none"}').toString('base64url')}.${(await made({})).split('.')[1]}.x`,
          };
          for (const [what, text] of Object.entries(bad)) {
            expect((await ask(mode, '/v1/whoami', bearer(text))).status, what).to.equal(401);
          }
        });

        it('asks Gatehouse nothing about a token, and lets it pass while Gatehouse is away', async () => {
          const text = await tokenFor(mode);
          await ask(mode, '/v1/whoami', bearer(text));
          const before = questions();
          await network.cut();
          try {
            expect((await ask(mode, '/v1/whoami', bearer(text))).status).to.equal(200);
          } finally {
            await network.restore();
          }
          expect(questions()).to.equal(before);
        });
      });
    }

    it('in mode local, a revoked token works until it expires, and API keys never do', async () => {
      const text = await tokenFor('local');
      expect((await revoke(harness, apis.local.client, text)).status).to.equal(200);
      expect((await ask('local', '/v1/whoami', bearer(text))).status).to.equal(200);
      const { key } = await apiKeyOf(harness, user);
      expect((await ask('local', '/v1/whoami', bearer(key))).status).to.equal(401);
      expect((await ask('local', '/v1/whoami', { 'x-api-key': key })).status).to.equal(401);
    });

    it('asks once for many requests, and refuses what was revoked within the bound', async () => {
      const [first, second] = [await apiKeyOf(harness, user), await apiKeyOf(harness, user)];
      const text = await tokenFor('remote');
      const refused = {
        remoteKey: async () => (await ask('remote', '/v1/whoami', bearer(first.key))).status === 401,
        autoKey: async () => (await ask('auto', '/v1/whoami', bearer(second.key))).status === 401,
        token: async () => (await ask('remote', '/v1/whoami', bearer(text))).status === 401,
      };
      const before = questions();
      for (let count = 0; count < 20; count += 1) {
        for (const isRefused of Object.values(refused)) expect(await isRefused()).to.equal(false);
      }
      expect(questions() - before).to.be.within(3, 6);
      expect((await revoke(harness, apis.remote.client, text)).status).to.equal(200);
      for (const { id } of [first, second]) {
        good(await json(harness, 'DELETE', `/v1/api-keys/${id}`, undefined, bearer(user.token)));
      }
      await Promise.all(Object.entries(refused).map(([what, is]) => until(what, REVOCATION_SECONDS, is)));
    });

    it('answers 503 while Gatehouse is away or does not answer, never lets pass, and recovers', async () => {
      for (const outage of [() => network.cut(), () => network.pause()]) {
        // One that no answer was kept about.
        const { key } = await apiKeyOf(harness, user);
        await outage();
        const started = performance.now();
        const answers = await Promise.all([
          ask('remote', '/v1/whoami', bearer(key)),
          ask('auto', '/v1/whoami', bearer(key)),
        ]).finally(() => network.restore());
        expect(performance.now() - started).to.be.lessThan(4000);
        for (const { status, headers } of answers) {
          expect(status).to.equal(503);
          expect(headers.get('retry-after')).to.equal('1');
          expect(headers.has('www-authenticate')).to.equal(false);
        }
        for (const mode of ['remote', 'auto'] as const) {
          await until('a good answer', 5, async () => (await ask(mode, '/v1/whoami', bearer(key))).status === 200);
        }
      }
    });

    for (const mode of ['remote', 'auto'] as const) {
      describe(`asking Gatehouse, in mode ${mode}`, () => {
        it('lets an API key pass, by either header', async () => {
          const { key, id } = await apiKeyOf(harness, user, { scopes: ['read'] });
          for (const headers of [bearer(key), { 'x-api-key': key }]) {
            const { status, body } = await ask(mode, '/v1/whoami', headers as Record<string, string>);
            expect(status).to.equal(200);
            expect(body.auth).to.include({ method: 'api_key', subject: user.id, key_id: id, environment: 'live' });
            const post = await ask(
              mode,
              '/v1/notes',
              {},
              {
                method: 'POST',
                headers: { ...(headers as object), 'content-type': 'application/json' },
                body: '{"text":"x"}',
              },
            );
            expect(post.status).to.equal(403);
            expect(post.headers.get('www-authenticate')).to.include('error="insufficient_scope", scope="write"');
          }
        });

        it('lets no key of the test environment pass unless it is told to', async () => {
          const { key } = await apiKeyOf(harness, user, { environment: 'test', scopes: ['read'] });
          const { status } = await ask(mode, '/v1/whoami', { 'x-api-key': key });
          expect(status).to.equal(401);
        });

        it('one answer does not serve another requirement', async () => {
          const { key } = await apiKeyOf(harness, user, { scopes: ['write'] });
          expect((await ask(mode, '/v1/whoami', bearer(key))).status).to.equal(200);
          expect((await ask(mode, '/v1/notes', bearer(key))).status).to.equal(403);
        });

        it('a key that is allowed from some addresses passes from there alone, also right after', async () => {
          const { key } = await apiKeyOf(harness, user, { allowed_addresses: ['127.0.0.2'] });
          const from = (localAddress: string): Promise<number | undefined> =>
            new Promise((resolve, reject) => {
              const url = `${apis[mode].url}/v1/whoami`;
              httpGet(url, { localAddress, headers: bearer(key) }, (reply) => {
                reply.resume();
                resolve(reply.statusCode);
              }).once('error', reject);
            });
          for (const _ of ['first', 'remembered']) {
            expect(await from('127.0.0.2')).to.equal(200);
            expect(await from('127.0.0.1')).to.equal(401);
          }
        });

        it('passes on that a limit is reached, and until when', async () => {
          const { key } = await apiKeyOf(harness, user, { limit: { quota: 2, window_seconds: 3600 } });
          const first = await ask(mode, '/v1/whoami', bearer(key));
          expect(first.status).to.equal(200);
          expect(first.headers.get('ratelimit')).to.match(/r=1/);
          expect((await ask(mode, '/v1/whoami', bearer(key))).status).to.equal(200);
          const third = await ask(mode, '/v1/whoami', bearer(key));
          expect(third.status).to.equal(429);
          expect(Number(third.headers.get('retry-after'))).to.be.within(1, 3600);
          expect(third.headers.get('ratelimit-policy')).to.include('q=2;w=3600');
          expect(third.headers.has('www-authenticate')).to.equal(false);
          expect(third.body.code).to.equal('rate_limit_exceeded');
        });

        it('tells callers on a replaced secret', async () => {
          const { key, id } = await apiKeyOf(harness, user);
          const { key: next } = good(await json(harness, 'POST', `/v1/api-keys/${id}/rotate`, {}, bearer(user.token)));
          harness.keepSecret(next);
          expect((await ask(mode, '/v1/whoami', bearer(key))).headers.get('x-api-key-replaced')).to.include(
            'works until',
          );
          expect((await ask(mode, '/v1/whoami', bearer(next))).headers.has('x-api-key-replaced')).to.equal(false);
        });

        it('a token bound to a key of its holder needs a proof, for this request, once', async () => {
          const keys = await createProofKeys();
          const client = await createClient(harness, {
            grantTypes: ['client_credentials'],
            scopes: ['read'],
            resources: [apis[mode].resource],
            tokenBinding: 'dpop',
          });
          const tokenUrl = harness.url(harness.config.paths.token);
          const fields = { grant_type: 'client_credentials' };
          const asked = async (claims: object = {}) =>
            token(harness, client, fields, {
              dpop: await proofFor(tokenUrl, keys, { claims: claims as Record<string, unknown> }),
            });
          let reply = await asked();
          if (reply.status === 400) reply = await asked({ nonce: reply.headers['dpop-nonce'] });
          const { access_token: accessToken } = good(reply);
          const url = `${apis[mode].resource.replace('/v1', '')}/v1/whoami`;
          const proof = await proofFor(url, keys, { method: 'GET', accessToken });
          const withProof = (dpop: string) =>
            ask(mode, '/v1/whoami?page=2', { authorization: `DPoP ${accessToken}`, dpop });
          const passed = await withProof(proof);
          expect(passed.status, passed.text).to.equal(200);
          expect((await withProof(proof)).status).to.equal(401);
          expect((await withProof(await proofFor(url, keys, { method: 'POST', accessToken }))).status).to.equal(401);
          expect((await withProof(await proofFor(`${url}/x`, keys, { method: 'GET', accessToken }))).status).to.equal(
            401,
          );
          expect((await ask(mode, '/v1/whoami', { authorization: `DPoP ${accessToken}` })).status).to.equal(401);
          expect((await ask(mode, '/v1/whoami', bearer(accessToken))).status).to.equal(401);
        });
      });
    }
  });
}
