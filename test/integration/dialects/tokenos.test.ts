import { expect } from 'chai';
import type { Client } from '../../../src/domain/clients/client.ts';
import { digestSecret } from '../../../src/domain/clients/client-secrets.ts';
import { generateClientKey } from '../../../src/domain/signing-keys/client-key.ts';
import { assertion, basic, claimsOf } from '../../support/builders.ts';
import type { Identity } from '../../support/certificates.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { createTestClock, type Reply, type TestClock } from '../../support/harness.ts';
import { type Exchange, snippetOf, substituted, unusedSnippets } from '../../support/snippets.ts';
import {
  apiKeyOf,
  bearer,
  good,
  json,
  type PublishedApi,
  pageOf,
  publish,
  signedIn,
  tokenOf,
} from './published-api.ts';

const PAGE = pageOf('tokenos');
const HOST = 'https://your-project.projects.oryapis.com';
const KEYS = '/dashboard/api-keys';
const TOKEN = '/oauth2/token';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** What the page's JavaScript leaves to its reader: two functions, and `read` where it forgot the quotes. */
const PRELUDE = `
globalThis.bas64_encode = (text) => Buffer.from(text).toString('base64');
globalThis.url_encode = encodeURIComponent;
globalThis.read = 'read';
`;

describe('tokenos: the published page', () => {
  let api: PublishedApi;
  let clock: TestClock;
  let user: Awaited<ReturnType<typeof signedIn>>;

  before(async function () {
    clock = createTestClock();
    api = await publish(this, { dialect: 'tokenos', protect: '/v1/things', require: 'scope=read', harness: { clock } });
    user = await signedIn(api.harness);
  });
  after(() => api?.close());

  const send = (method: string, path: string, body?: object, headers = {}): Promise<Reply> =>
    json(api.harness, method, path, body, headers);
  const things = (token: string, headers = {}) =>
    api.fetch(`${api.url}/v1/things`, { headers: { ...bearer(token), ...headers } });

  /** What the page calls an API key, made in the dashboard. */
  async function make(given: object = {}): Promise<{ client_id: string; client_secret: string; scopes: string[] }> {
    const made = good(await send('POST', KEYS, { name: 'Server', ...given }, bearer(user.token)));
    api.harness.keepSecret(made.client_secret);
    return made;
  }
  /** The page's JavaScript, with an API key of ours. */
  async function run(heading: string, id: string, secret: string): Promise<{ reply: Exchange; output: string }> {
    const text = substituted(snippetOf(PAGE, 'javascript', heading), {
      [HOST]: api.url,
      'the-client-id': id,
      'the-secret-id': secret,
    });
    const { exchanges, output } = await api.run.javascript(text, { prelude: PRELUDE });
    const [reply] = exchanges;
    if (!reply || exchanges.length > 1) throw new Error('not one answer');
    if (reply.status === 200) api.harness.keepSecret(reply.json().access_token);
    return { reply, output };
  }

  describe('its requests', () => {
    it('Basic Auth gets a token that the API accepts', async () => {
      const { client_id: id, client_secret: secret } = await make();
      const { reply, output } = await run('Basic Auth', id, secret);
      expect(reply.status, reply.text).to.equal(200);
      expect(reply.json()).to.include({ scope: 'read', token_type: 'Bearer' });
      expect(output).to.include('access_token');
      expect((await things(reply.json().access_token)).status).to.equal(200);
      expect(api.arrivals.at(-1)?.headers).to.include({ 'x-auth-subject': id, 'x-auth-method': 'access_token' });
    });

    it('Basic Auth is URL-encoded: a secret may hold any character', async () => {
      const { client_id: id } = await make();
      const { stores, digester } = api.harness.services;
      const client = (await stores.clients.find(id)) as Client;
      const secret = 'a:b/ü +%41';
      const secrets = [{ digest: digestSecret(digester, id, secret), createdAt: 0, expiresAt: null }];
      expect(await stores.clients.update({ ...client, secrets }, client.updatedAt)).to.equal(true);
      expect((await run('Basic Auth', id, secret)).reply.status).to.equal(200);
      const unencoded = await api.harness.post(
        TOKEN,
        { grant_type: 'client_credentials', scope: 'read' },
        { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      );
      expect(unencoded.status).to.equal(401);
    });

    it('body auth, which the page shows under JWT Bearer Auth, gets the same client a token too', async () => {
      const { client_id: id, client_secret: secret } = await make();
      expect((await run('Basic Auth', id, secret)).reply.status).to.equal(200);
      const { reply } = await run('JWT Bearer Auth', id, secret);
      expect(reply.status, reply.text).to.equal(200);
      expect((await things(reply.json().access_token)).status).to.equal(200);
    });

    it('JWT bearer auth as the page tells it: a JWT signed by the key of the client', async () => {
      const { publicJwk, privateJwk } = await generateClientKey();
      const { client_id: id } = await make({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [publicJwk] },
      });
      const jwt = await assertion(api.harness, { id, method: 'private_key_jwt', privateJwk });
      const ask = (): Promise<Reply> =>
        api.harness.post(TOKEN, {
          grant_type: 'client_credentials',
          scope: 'read',
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: jwt,
        });
      const reply = good(await ask());
      expect(claimsOf(reply.access_token)).to.include({ sub: id, scope: 'read' });
      expect((await ask()).status, 'the same JWT again').to.equal(401);
    });

    it('over plain HTTP fails', async () => {
      const { client_id: id, client_secret: secret } = await make();
      const reply = await api.harness.sendRaw(TOKEN, {
        method: 'POST',
        headers: { authorization: basic(id, secret), 'content-type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=client_credentials&scope=read',
      });
      expect(reply.status).to.equal(403);
      expect(reply.text).not.to.include('access_token');
    });

    it('without authentication fails', async () => {
      const token = await api.harness.post(TOKEN, { grant_type: 'client_credentials', scope: 'read' });
      expect(token.status).to.be.within(400, 401);
      expect((await api.fetch(`${api.url}/v1/things`)).status).to.equal(401);
      expect((await send('GET', KEYS)).status).to.equal(401);
    });
  });

  describe('the dashboard', () => {
    it('shows a secret once, when it is made', async () => {
      const made = await make({ name: 'Shown once' });
      expect(made.client_secret).to.be.a('string');
      const listed = await send('GET', KEYS, undefined, bearer(user.token));
      const found = good(listed).data.find((each: { client_id: string }) => each.client_id === made.client_id);
      expect(found).to.deep.include({ name: 'Shown once', scopes: ['read'] });
      expect(listed.text).not.to.include(made.client_secret);
    });

    it('rotates: both secrets work for the overlap, then the new one alone', async () => {
      const made = await make();
      const rotate = { overlap_seconds: 3600 };
      const rotated = good(await send('POST', `${KEYS}/${made.client_id}/rotate`, rotate, bearer(user.token)));
      api.harness.keepSecret(rotated.client_secret);
      expect(rotated.client_secret).not.to.equal(made.client_secret);
      const statusWith = async (secret: string): Promise<number> =>
        (await run('Basic Auth', made.client_id, secret)).reply.status;
      expect(await statusWith(made.client_secret)).to.equal(200);
      expect(await statusWith(rotated.client_secret)).to.equal(200);
      clock.advance(3601);
      expect(await statusWith(made.client_secret)).to.equal(401);
      expect(await statusWith(rotated.client_secret)).to.equal(200);
      user.token = await tokenOf(api.harness, user);
    });

    it('deletes: the API key and its tokens end', async () => {
      const made = await make();
      const { reply } = await run('Basic Auth', made.client_id, made.client_secret);
      expect((await send('DELETE', `${KEYS}/${made.client_id}`, undefined, bearer(user.token))).status).to.equal(204);
      expect((await run('Basic Auth', made.client_id, made.client_secret)).reply.status).to.equal(401);
      expect((await things(reply.json().access_token)).status).to.equal(401);
    });

    it('is for people who signed in, and shows them their own alone', async () => {
      const made = await make();
      const stranger = await signedIn(api.harness);
      expect(good(await send('GET', KEYS, undefined, bearer(stranger.token))).data).to.deep.equal([]);
      const removed = await send('DELETE', `${KEYS}/${made.client_id}`, undefined, bearer(stranger.token));
      expect(removed.status).to.equal(404);
      const { key } = await apiKeyOf(api.harness, user, { scopes: ['manage'] });
      const byKey = await send('POST', KEYS, { name: 'x' }, bearer(key));
      expect(byKey.status).to.equal(403);
      expect(byKey.json()).to.have.all.keys('error', 'error_description');
      expect(byKey.json().error).to.equal('insufficient_scope');
    });
  });

  describe('enhanced security, where the page ends in the middle of a sentence', () => {
    it('binds the tokens of a client to a key (DPoP): stolen ones open nothing', async () => {
      const { client_id: id, client_secret: secret } = await make({ token_binding: 'dpop' });
      const keys = await createProofKeys();
      const ask = (headers = {}): Promise<Reply> =>
        api.harness.post(
          TOKEN,
          { grant_type: 'client_credentials', scope: 'read' },
          { authorization: basic(id, secret), ...headers },
        );
      const without = await ask();
      expect(without.status, 'without a proof').to.equal(400);
      const iat = clock.nowSeconds();
      const claims = { iat, nonce: without.headers['dpop-nonce'] };
      const reply = good(await ask({ dpop: await proofFor(api.harness.url(TOKEN), keys, { claims }) }));
      const accessToken: string = reply.access_token;
      expect(reply.token_type).to.equal('DPoP');
      const url = `${api.url}/v1/things`;
      const dpop = await proofFor(url, keys, { method: 'GET', accessToken, claims: { iat } });
      const proved = await api.fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop } });
      expect(proved.status).to.equal(200);
      expect((await things(accessToken)).status, 'as Bearer').to.equal(401);
      const thief = await proofFor(url, await createProofKeys(), { method: 'GET', accessToken, claims: { iat } });
      const stolen = await api.fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop: thief } });
      expect(stolen.status, 'with the proof of another key').to.equal(401);
    });

    it('binds the tokens of a client to its certificate (mutual TLS): stolen ones open nothing', async () => {
      const { client_id: id, client_secret: secret } = await make({ token_binding: 'mtls' });
      const [own, other] = [api.clientIdentity('own'), api.clientIdentity('other')];
      const curl = async (by: Identity | null, rest: string): Promise<Exchange> => {
        const certificate = by ? `--cert '${by.certFile}' --key '${by.keyFile}'` : '';
        return (await api.run.bash(`curl ${certificate} ${rest}`))[0] as Exchange;
      };
      const ask = `-u '${id}:${secret}' -d 'grant_type=client_credentials&scope=read' ${api.url}${TOKEN}`;
      expect((await curl(null, ask)).status, 'without a certificate').to.be.within(400, 401);
      const token = good(await curl(own, ask)).access_token;
      api.harness.keepSecret(token);
      const get = `-H 'Authorization: Bearer ${token}' ${api.url}/v1/things`;
      expect((await curl(own, get)).status).to.equal(200);
      expect((await curl(other, get)).status, 'with another certificate').to.equal(401);
      expect((await curl(null, get)).status, 'without one').to.equal(401);
    });
  });

  describe('bad input', () => {
    it('answers in the way of OAuth, and names the fields', async () => {
      for (const [body, field] of [
        [{}, 'name'],
        [{ name: 'x', scopes: 'read' }, 'scopes'],
        [{ name: 'x', token_endpoint_auth_method: 'none' }, 'token_endpoint_auth_method'],
        [{ name: 'x', jwks: { keys: 'none' } }, 'jwks.keys'],
        [{ name: 'x', redirect_uris: [] }, 'redirect_uris'],
      ] as [object, string][]) {
        const reply = await send('POST', KEYS, body, bearer(user.token));
        expect(reply.status, field).to.equal(400);
        expect(reply.json().error).to.equal('invalid_request');
        expect(reply.json().fields[0].field).to.equal(field);
      }
    });

    it('a scope that no user can hold is not to be had', async () => {
      const reply = await send('POST', KEYS, { name: 'x', scopes: ['provider-keys:use'] }, bearer(user.token));
      expect(reply.status).to.be.within(400, 403);
    });

    it('a private key instead of a public one is refused and not kept', async () => {
      const { privateJwk } = await generateClientKey();
      const body = { name: 'x', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [privateJwk] } };
      expect((await send('POST', KEYS, body, bearer(user.token))).status).to.equal(400);
    });

    it('secrets in the URL or sent in two ways are refused', async () => {
      const { client_id: id, client_secret: secret } = await make();
      const form = { grant_type: 'client_credentials', scope: 'read' };
      const both = await api.harness.post(
        TOKEN,
        { ...form, client_id: id, client_secret: secret },
        { authorization: basic(id, secret) },
      );
      expect(both.status).to.be.within(400, 401);
      const inUrl = await api.harness.post(`${TOKEN}?client_id=${id}&client_secret=${secret}`, form);
      expect(inUrl.status).to.equal(400);
    });
  });

  // Last, for it looks at what the tests above have asked for.
  describe('the page', () => {
    it('has no example that was not run', () => {
      expect(unusedSnippets(PAGE)).to.deep.equal([]);
    });
  });
});
