import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CLIENT_AUTH_METHODS, type ClientAuthMethod } from '../../../src/domain/clients/client.ts';
import {
  assertion,
  basic,
  createClient,
  DEMO,
  introspect,
  obtainTokens,
  postAs,
  refresh,
  revoke,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Identity, makeIdentity } from '../../support/certificates.ts';
import { type Fields, type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** What each endpoint says to a client it has recognised; anything else but 401 would be a wrong test. */
const DOORS: { name: string; path: string; fields: Fields; recognised: (client: TestClient) => string }[] = [
  {
    name: 'the token endpoint, for a code',
    path: '/oauth2/token',
    fields: { grant_type: 'authorization_code', code: 'gac_unknown', redirect_uri: 'http://127.0.0.1:8080/callback' },
    recognised: () => '400 invalid_grant',
  },
  {
    name: 'the token endpoint, for a refresh token',
    path: '/oauth2/token',
    fields: { grant_type: 'refresh_token', refresh_token: 'grt_unknown' },
    recognised: () => '400 invalid_grant',
  },
  {
    name: 'the token endpoint, for client credentials',
    path: '/oauth2/token',
    fields: { grant_type: 'client_credentials' },
    recognised: ({ method }) => (method === 'none' ? '400 unauthorized_client' : '200'),
  },
  {
    name: 'the introspection endpoint',
    path: '/oauth2/introspect',
    fields: { token: 'gat_unknown' },
    recognised: ({ method }) => (method === 'none' ? '401 invalid_client' : '200'),
  },
  {
    name: 'the revocation endpoint',
    path: '/oauth2/revoke',
    fields: { token: 'gat_unknown' },
    recognised: () => '200',
  },
];

const TLS = 'self_signed_tls_client_auth';
const CERTIFICATE_HEADER = 'Client-Cert';

describe('client authentication', () => {
  let harness: Harness;
  let folder: string;
  let identity: Identity;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-certificates-'));
    identity = makeIdentity(folder, 'client');
    harness = await startHarness({
      env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1', GATEHOUSE_CLIENT_CERTIFICATE_HEADER: CERTIFICATE_HEADER },
    });
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await harness?.[Symbol.asyncDispose]();
  });

  const outcome = (reply: Reply): string => (reply.status === 200 ? '200' : `${reply.status} ${reply.json().error}`);

  const create = (authMethod: ClientAuthMethod): Promise<TestClient> =>
    createClient(harness, {
      authMethod,
      certificateThumbprints: authMethod === TLS ? [identity.thumbprint] : [],
      grantTypes: [
        'authorization_code',
        'refresh_token',
        ...(authMethod === 'none' ? [] : (['client_credentials'] as const)),
      ],
    });

  /** The same client as if it had another method. Where it lacks a secret or key, somebody else's. */
  async function pretending(client: TestClient, method: ClientAuthMethod, keyed: TestClient): Promise<TestClient> {
    return {
      id: client.id,
      method,
      secret: client.secret ?? 'no-secret-at-all',
      privateJwk: client.privateJwk ?? keyed.privateJwk ?? {},
    };
  }

  for (const registered of CLIENT_AUTH_METHODS) {
    for (const door of DOORS) {
      it(`accepts from a ${registered} client nothing but that, at ${door.name}`, async () => {
        const client = await create(registered);
        const keyed = await create('private_key_jwt');
        for (const method of CLIENT_AUTH_METHODS) {
          const headers = method === TLS ? { [CERTIFICATE_HEADER]: encodeURIComponent(identity.cert) } : {};
          const reply = await postAs(harness, await pretending(client, method, keyed), door.path, door.fields, headers);
          // A certificate is no credential of a client that registered none: it is a public client's request as ever.
          const recognised = method === registered || (registered === 'none' && method === TLS);
          const expected = recognised ? door.recognised(client) : '401 invalid_client';
          expect(`${method}: ${outcome(reply)}`).to.equal(`${method}: ${expected}`);
        }
      });
    }
  }

  it('refuses two methods at once, even when both are right', async () => {
    const post = await create('client_secret_post');
    const keyed = await create('private_key_jwt');
    const header = { authorization: basic(post.id, post.secret ?? '') };
    const inBody = { client_id: post.id, client_secret: post.secret };
    const proof = { client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion(harness, keyed) };
    for (const { path, fields } of DOORS) {
      for (const [extra, headers] of [
        [inBody, header],
        [{ ...inBody, ...proof }, {}],
        [proof, header],
        [{ ...inBody, ...proof }, header],
      ] as const) {
        expect(outcome(await harness.post(path, { ...fields, ...extra }, headers))).to.equal('400 invalid_request');
      }
    }
  });

  it('refuses a client_id that is not the authenticated client, and accepts one that is', async () => {
    const { path, fields } = DOORS[4] ?? { path: '', fields: {} };
    const header = { authorization: basic('demo-web', 'demo-web-secret') };
    expect(outcome(await harness.post(path, { ...fields, client_id: 'demo-web' }, header))).to.equal('200');
    expect(outcome(await harness.post(path, { ...fields, client_id: 'demo-spa' }, header))).to.equal(
      '400 invalid_request',
    );
  });

  it('never reads credentials from the URL', async () => {
    const post = await create('client_secret_post');
    for (const { path, fields } of DOORS) {
      const reply = await harness.post(`${path}?client_id=${post.id}&client_secret=${post.secret}`, fields);
      expect([path, outcome(reply)]).to.deep.equal([path, '400 invalid_request']);
      const token = await harness.post(`${path}?token=x`, { client_id: post.id, client_secret: post.secret });
      expect([path, outcome(token)]).to.deep.equal([path, '400 invalid_request']);
    }
  });

  it('decodes Basic credentials as a form, and takes raw ones from clients that do not encode', async () => {
    const { secret = '' } = await create('client_secret_basic');
    expect(secret).to.match(/^[A-Za-z0-9_-]+$/);
    const header = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const ask = (text: string) => harness.post('/oauth2/revoke', { token: 'x' }, header(text));
    for (const text of ['demo-web:demo-web-secret', 'demo%2Dweb:demo%2dweb-secret', '%64emo-web:demo-web-secre%74'])
      expect([text, outcome(await ask(text))]).to.deep.equal([text, '200']);
    for (const text of [
      'demo-web:demo+web+secret',
      'demo-web:demo-web-secret ',
      'demo-web: demo-web-secret',
      'DEMO-WEB:demo-web-secret',
    ])
      expect([text, outcome(await ask(text))]).to.deep.equal([text, '401 invalid_client']);
  });

  it('accepts the scheme in any case and refuses what is not Basic', async () => {
    const pair = Buffer.from('demo-web:demo-web-secret').toString('base64');
    const ask = (authorization: string) =>
      harness.post('/oauth2/revoke', { token: 'x', client_id: 'demo-web' }, { authorization });
    for (const scheme of ['Basic', 'basic', 'BASIC']) expect(outcome(await ask(`${scheme} ${pair}`))).to.equal('200');
    for (const header of [
      `Bearer ${pair}`,
      'Basic',
      'Basic ',
      'Basic !!!',
      `Basic ${pair}, Basic ${pair}`,
      `Basic ${Buffer.from('no-colon').toString('base64')}`,
      `Basic ${Buffer.from(':secret').toString('base64')}`,
      `Basic ${Buffer.from('demo-web:').toString('base64')}`,
      `Basic ${Buffer.from('demo-web:%zz').toString('base64')}`,
      `Basic ${Buffer.from('demo-web:\xff\xfe', 'latin1').toString('base64')}`,
    ]) {
      const reply = await ask(header);
      expect([header, Math.floor(reply.status / 100)]).to.deep.equal([header, 4]);
      expect(reply.json().error).to.be.oneOf(['invalid_request', 'invalid_client']);
    }
  });

  it('answers a wrong secret with 401 and the scheme to use', async () => {
    for (const { path, fields } of DOORS) {
      for (const id of ['demo-web', 'nobody']) {
        const reply = await harness.post(path, fields, { authorization: basic(id, 'wrong') });
        expect(outcome(reply)).to.equal('401 invalid_client');
        expect(reply.headers['www-authenticate']).to.match(/^Basic realm="/);
        expect(reply.headers['cache-control']).to.equal('no-store');
      }
    }
  });

  it('answers an unknown client and a wrong secret alike', async () => {
    const strip = ({ status, text, headers }: Reply) => [status, text, headers['www-authenticate']];
    const unknown = await postAs(
      harness,
      { id: 'nobody', method: 'client_secret_post', secret: 'x' },
      '/oauth2/revoke',
      { token: 'x' },
    );
    const post = await create('client_secret_post');
    const wrong = await postAs(harness, { ...post, secret: 'x' }, '/oauth2/revoke', { token: 'x' });
    expect(strip(unknown)).to.deep.equal(strip(wrong));
  });

  it('needs the client to name itself', async () => {
    for (const { path, fields } of DOORS)
      expect(outcome(await harness.post(path, fields))).to.equal('400 invalid_request');
  });

  it('accepts both secrets while a rotation overlaps, and only the new one afterwards', async () => {
    const client = await create('client_secret_basic');
    const { secret } = await harness.services.manageClients.rotateSecret(client.id, 3600);
    harness.keepSecret(secret);
    const ask = (value: string | undefined) =>
      token(harness, { ...client, secret: value ?? '' }, { grant_type: 'client_credentials' });
    expect((await ask(client.secret)).status).to.equal(200);
    expect((await ask(secret)).status).to.equal(200);
    {
      using _ = travel(3601);
      expect((await ask(client.secret)).status).to.equal(401);
      expect((await ask(secret)).status).to.equal(200);
    }
    const now = await harness.services.manageClients.rotateSecret(client.id, 0);
    harness.keepSecret(now.secret);
    expect((await ask(secret)).status).to.equal(401);
    expect((await ask(now.secret)).status).to.equal(200);
  });

  describe('against guessing', () => {
    const from = (ip: string) => ({ 'x-forwarded-for': ip });
    const guess = (client: TestClient, secret: string, ip: string): Promise<Reply> =>
      token(harness, { ...client, secret }, { grant_type: 'client_credentials' }, from(ip));

    it('slows down after 20 wrong secrets of a client from one address, and tells for how long', async () => {
      const client = await create('client_secret_basic');
      const statuses: number[] = [];
      let last: Reply | undefined;
      for (let i = 0; i < 25; i += 1) {
        last = await guess(client, `wrong-${i}`, '203.0.113.1');
        statuses.push(last.status);
      }
      expect(statuses.slice(0, 20)).to.deep.equal(Array(20).fill(401));
      expect(statuses).to.include(429);
      expect(last?.json().error).to.equal('slow_down');
      expect(Number(last?.headers['retry-after'])).to.be.within(1, 60);
      // Who holds the secret waits too from there, and not from elsewhere.
      expect((await guess(client, client.secret ?? '', '203.0.113.1')).status).to.equal(429);
      expect((await guess(client, client.secret ?? '', '203.0.113.2')).status).to.equal(200);
      using _ = travel(61);
      expect((await guess(client, client.secret ?? '', '203.0.113.1')).status).to.equal(200);
    });

    it('counts parallel guesses', async () => {
      const client = await create('client_secret_post');
      await guess(client, 'wrong', '203.0.113.3');
      const replies = await Promise.all(
        Array.from({ length: 60 }, (_, i) => guess(client, `wrong-${i}`, '203.0.113.3')),
      );
      expect(replies.filter(({ status }) => status === 401).length).to.be.at.most(21);
    });

    it('counts a /64 of IPv6 as one address', async () => {
      const client = await create('client_secret_post');
      for (let i = 0; i < 24; i += 1) await guess(client, `wrong-${i}`, `2001:db8:1:2::${i + 1}`);
      expect((await guess(client, 'wrong', '2001:db8:1:2:ffff::1')).status).to.equal(429);
      expect((await guess(client, 'wrong', '2001:db8:1:3::1')).status).to.equal(401);
    });

    it('never slows a client that is right', async () => {
      const client = await create('client_secret_basic');
      for (let i = 0; i < 60; i += 1)
        expect((await guess(client, client.secret ?? '', '203.0.113.4')).status).to.equal(200);
    });

    it('writes one audit event for many failures', async () => {
      const client = await create('client_secret_basic');
      for (let i = 0; i < 5; i += 1) await guess(client, 'wrong', '203.0.113.5');
      const filter = { type: 'client.authentication_failed', clientId: client.id, limit: 10 } as const;
      const events = await harness.services.stores.audit.list(filter);
      expect(events).to.have.length(1);
      expect(events[0]).to.deep.include({ ip: '203.0.113.5', details: { reason: 'wrong secret' } });
    });
  });

  it('of a deleted client fails at once, and its tokens end', async () => {
    const client = await create('client_secret_basic');
    const tokens = await obtainTokens(harness, client, { scope: 'openid offline_access read' });
    await harness.services.manageClients.remove(client.id);
    expect(outcome(await refresh(harness, client, tokens.refresh_token))).to.equal('401 invalid_client');
    expect(outcome(await introspect(harness, client, tokens.refresh_token))).to.equal('401 invalid_client');
    expect((await introspect(harness, DEMO.api, tokens.access_token)).json()).to.deep.equal({ active: false });
    expect(outcome(await revoke(harness, client, tokens.refresh_token))).to.equal('401 invalid_client');
    const again = await create('client_secret_basic');
    expect(outcome(await refresh(harness, again, tokens.refresh_token))).to.equal('400 invalid_grant');
  });
});
