import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { checksum } from '../../../src/kit/checksum.ts';
import {
  auditOf,
  call,
  good,
  newKey,
  newPerson,
  outcome,
  type Person,
  verify,
  withoutRequestId,
} from '../../support/api-client.ts';
import {
  API,
  assertion,
  authorize,
  claimsOf,
  createAccount,
  createClient,
  obtainTokens,
  type TestClient,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const KEY_REFUSALS = ['malformed', 'unknown', 'wrong-secret', 'expired', 'revoked', 'wrong-environment'];

describe('a credential that is not good', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  describe('being an API key', () => {
    let bad: Record<string, { key: string; asked?: object }>;
    before(async () => {
      const [expired, revoked, good_, one, two] = await Promise.all(
        Array.from({ length: 5 }, () => newKey(harness, ada)),
      );
      if (!expired || !revoked || !good_ || !one || !two) throw new Error('no keys');
      const { apiKeys } = harness.services.stores;
      const record = (await apiKeys.find(expired.id))?.key;
      if (record) await apiKeys.update({ ...record, expiresAt: Date.now() - 1000 });
      await harness.services.announce(`key:${expired.id}`);
      await good(call(harness, `DELETE /v1/api-keys/${revoked.id}`, { as: ada.token }));
      const minted = harness.services.keyFormat.mint('live');
      const mixed = one.key.slice(0, 24) + two.key.slice(24, -6);
      bad = {
        malformed: { key: `${good_.key.slice(0, -1)}${good_.key.endsWith('0') ? '1' : '0'}` },
        unknown: { key: minted.text },
        'wrong-secret': { key: mixed + checksum(mixed) },
        expired: { key: expired.key },
        revoked: { key: revoked.key },
        'wrong-environment': { key: good_.key, asked: { environment: 'test' } },
      };
      for (const { key } of Object.values(bad)) harness.keepSecret(key);
    });

    it('looks the same to its sender, byte for byte, whatever is wrong with it', async () => {
      expect(Object.keys(bad)).to.deep.equal(KEY_REFUSALS);
      const replies: [string, Reply][] = [];
      for (const [reason, { key, asked }] of Object.entries(bad)) {
        replies.push([reason, await verify(harness, key, asked)]);
        if (!asked) replies.push([reason, await call(harness, 'GET /v1/auth/me', { as: key })]);
      }
      const [[, first]] = replies as [[string, Reply]];
      for (const [reason, reply] of replies) {
        expect(await outcome(reply), reason).to.equal('401 unauthenticated');
        expect(withoutRequestId(reply), reason).to.equal(withoutRequestId(first));
        const { 'x-request-id': _, date: __, ...headers } = reply.headers;
        const { 'x-request-id': ___, date: ____, ...expected } = first.headers;
        expect(headers, reason).to.deep.equal(expected);
      }
    });

    it('has its reason in the audit trail, once a minute, by key where one is known', async () => {
      for (let i = 0; i < 5; i += 1) {
        for (const { key, asked } of Object.values(bad)) await verify(harness, key, asked);
      }
      const events = await auditOf(harness, 'credential.refused');
      for (const reason of KEY_REFUSALS) {
        const found = events.filter(({ details }) => details.reason === reason && details.method !== 'access_token');
        expect(found, reason).to.have.length(1);
        const known = !['malformed', 'unknown'].includes(reason);
        expect(/^key_/.test(String(found[0]?.details.keyId)), reason).to.equal(known);
        expect(found[0]?.accountId ?? null, reason).to.equal(known ? ada.id : null);
      }
    });
  });

  describe('of another kind', () => {
    let others: Record<string, string>;
    let web: TestClient;
    before(async () => {
      web = await createClient(harness);
      const keyed = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
      const tokens = await obtainTokens(harness, web, { scope: 'openid read offline_access', resource: API });
      const { code } = await authorize(harness, web, { scope: 'openid' });
      const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
      const jwk = await exportJWK(publicKey);
      const claims = claimsOf(ada.token);
      const header = JSON.parse(Buffer.from(ada.token.split('.')[0] ?? '', 'base64url').toString());
      const forged = (changes: object, more: object = {}): Promise<string> =>
        new SignJWT({ ...claims, ...changes }).setProtectedHeader({ ...header, ...more }).sign(privateKey);
      const { signJwt } = await import('../../../src/domain/signing-keys/sign-jwt.ts');
      const signer = harness.services.keySet.signer('ES256');
      const [head = '', body = '', signature = ''] = ada.token.split('.');
      const unsigned = Buffer.from(JSON.stringify({ ...header, alg: 'none' })).toString('base64url');
      others = {
        'id token': tokens.id_token,
        'refresh token of OAuth': tokens.refresh_token,
        'refresh token of the login': ada.refreshToken,
        'authorization code': code,
        'client assertion': await assertion(harness, keyed),
        'logout token': signJwt(signer, 'logout+jwt', {
          ...claims,
          events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        }),
        'client secret': web.secret ?? '',
        password: ada.password,
        'session id': ada.sessionId,
        'session cookie as a bearer token': tokens.browser.jar.get('session') ?? '',
        "another issuer's token": await forged({ iss: 'https://other.example' }),
        "another issuer's token under our name": await forged({}),
        'token that brings its key': await forged({}, { jwk }),
        'token of another issuer that has our key': signJwt(signer, 'at+jwt', {
          ...claims,
          iss: 'https://other.example',
        }),
        'token of the wrong type': signJwt(signer, 'JWT', claims),
        'token without an end': signJwt(signer, 'at+jwt', { ...claims, exp: undefined }),
        'token without a client': signJwt(signer, 'at+jwt', { ...claims, client_id: undefined }),
        'token of a client that does not exist': signJwt(signer, 'at+jwt', { ...claims, client_id: 'nobody' }),
        'login of a session that does not exist': signJwt(signer, 'at+jwt', { ...claims, sid: 'ses_nothing' }),
        'login without a session': signJwt(signer, 'at+jwt', { ...claims, sid: undefined }),
        'login of somebody else in this session': signJwt(signer, 'at+jwt', { ...claims, sub: 'acc_nobody' }),
        'token from the future': signJwt(signer, 'at+jwt', { ...claims, nbf: claims.exp }),
        'token without a signature': `${unsigned}.${body}.`,
        'token with another payload': `${head}.${Buffer.from('{"sub":"x"}').toString('base64url')}.${signature}`,
        'public key id': `key_${randomBytes(8).toString('hex')}`,
      };
      for (const value of Object.values(others)) harness.keepSecret(value.length > 30 ? value : null);
    });

    it('is refused as a bearer token and in a body, whatever door it opens elsewhere', async () => {
      expect(await outcome(verify(harness, ada.token))).to.equal('200');
      for (const [kind, value] of Object.entries(others)) {
        expect(value.length, kind).to.be.greaterThan(8);
        // A password has spaces; as a header it is no bearer token.
        expect(await outcome(verify(harness, value)), kind).to.equal('401 unauthenticated');
        expect(await outcome(call(harness, 'GET /v1/auth/me', { as: value })), kind).to.equal('401 unauthenticated');
        expect((await harness.get('/forward-auth', { 'x-api-key': value })).status, kind).to.equal(401);
      }
    });

    it('is refused in a cookie too', async () => {
      for (const [kind, value] of Object.entries(others)) {
        if (!/^[\w.-]+$/.test(value)) continue;
        for (const name of ['gatehouse_access', 'gatehouse_session']) {
          const reply = call(harness, 'GET /v1/auth/me', { headers: { cookie: `${name}=${value}` } });
          expect(await outcome(reply), `${kind} as ${name}`).to.equal('401 unauthenticated');
        }
      }
    });
  });

  it('tells a token of ours that is over to be refreshed, and says how', async () => {
    const person = await newPerson(harness);
    const { travel } = await import('../../support/harness.ts');
    using _ = travel(901);
    const reply = await verify(harness, person.token);
    expect(await outcome(reply)).to.equal('401 token_expired');
    expect(reply.headers['www-authenticate']).to.contain('error="invalid_token"');
  });

  it('of an account that was disabled, and of one that does not exist, look the same', async () => {
    const disabled = await createAccount(harness);
    const { signIn } = await import('../../support/api-client.ts');
    const person = await signIn(harness, disabled);
    await harness.services.manageAccounts.disable(person.id);
    const { signJwt } = await import('../../../src/domain/signing-keys/sign-jwt.ts');
    const nobody = signJwt(harness.services.keySet.signer('ES256'), 'at+jwt', {
      ...claimsOf(person.token),
      sub: 'acc_nobody',
    });
    harness.keepSecret(nobody);
    const [one, two] = [await verify(harness, person.token), await verify(harness, nobody)];
    expect(withoutRequestId(one)).to.equal(withoutRequestId(two));
  });

  it('missing, of another scheme or empty is no credential, and is told which there are', async () => {
    const nothing: Record<string, string>[] = [{}, { 'x-api-key': '' }, { authorization: '' }];
    for (const headers of nothing) {
      const reply = await call(harness, 'GET /v1/auth/me', { headers });
      expect(await outcome(reply)).to.equal('401 unauthenticated');
      expect(reply.headers['www-authenticate'])
        .to.match(/^Bearer realm="[^"]+"/)
        .and.not.contain('error=');
    }
    for (const authorization of [
      'Basic Zm9vOmJhcg==',
      'Bearer',
      'Bearer a b',
      'Token x',
      'Bearer a,b',
      '\u00ff\u00fe',
    ]) {
      const reply = call(harness, 'GET /v1/auth/me', { headers: { authorization } });
      expect(await outcome(reply), authorization).to.equal('401 unauthenticated');
    }
  });

  describe('in a URL', () => {
    it('is refused though it is good, and recorded as exposed, without itself', async () => {
      const { id, key } = await newKey(harness, ada, { scopes: ['manage'] });
      for (const request of [
        `GET /v1/auth/verify?credential=${key}`,
        `GET /v1/auth/verify?credential=${ada.token}`,
        `GET /v1/auth/me?api_key=${key}`,
        `GET /v1/auth/me?access_token=${ada.token}`,
        `GET /v1/api-keys?anything=${key}`,
        `GET /v1/auth/me?API_KEY=made-up-key`,
        `POST /v1/auth/verify?key=${key}`,
      ]) {
        const reply = await call(harness, request);
        expect(await outcome(reply), request).to.equal('400 invalid_request');
        expect(reply.json().detail, request).to.contain('stood in the URL');
        expect(reply.text).to.not.contain(key).and.not.contain(ada.token);
      }
      const events = await auditOf(harness, 'credential.exposed');
      expect(events.filter(({ details }) => details.keyId === id)).to.have.length(1);
    });

    it('is refused though a good one stands in the header', async () => {
      const { key } = await newKey(harness, ada);
      expect((await call(harness, `GET /v1/auth/me?api_key=${key}`, { as: key })).status).to.equal(400);
    });
  });
});
