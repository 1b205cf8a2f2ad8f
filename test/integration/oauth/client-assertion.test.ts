import { createServer } from 'node:http';
import { expect } from 'chai';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose';
import type { ClientChange } from '../../../src/domain/clients/manage-clients.ts';
import { type AssertionChange, assertion, createClient, DEMO, type TestClient } from '../../support/builders.ts';
import { freePort } from '../../support/free-port.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

describe('client assertions', () => {
  let harness: Harness;
  let client: TestClient;
  before(async () => {
    harness = await startHarness();
    client = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function send(client_assertion: string, fields: Fields = {}): Promise<string> {
    const reply = await harness.post('/oauth2/token', {
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion,
      ...fields,
    });
    return reply.status === 200 ? '200' : `${reply.status} ${reply.json().error}`;
  }
  const ask = async (change: AssertionChange = {}): Promise<string> => send(await assertion(harness, client, change));
  const REFUSED = '401 invalid_client';
  const now = (): number => Math.floor(Date.now() / 1000);

  it('are accepted when iss and sub are the client and aud is the issuer', async () => {
    expect(await ask()).to.equal('200');
    expect(await ask({ header: { kid: undefined } })).to.equal('200');
    expect(await ask({ claims: { iat: undefined } })).to.equal('200');
    expect(await send(await assertion(harness, client), { client_id: client.id })).to.equal('200');
  });

  it('need the issuer as their one audience, as a string', async () => {
    for (const aud of [
      [harness.issuer],
      [harness.issuer, 'https://other.example'],
      [harness.issuer, harness.issuer],
      harness.url('/oauth2/token'),
      harness.url('/oauth2/introspect'),
      harness.url('/'),
      harness.issuer.toUpperCase(),
      'https://other.example',
      '',
      undefined,
      [],
    ]) {
      expect([aud, await ask({ claims: { aud } })]).to.deep.equal([aud, REFUSED]);
    }
  });

  it('need iss and sub to be the client', async () => {
    for (const claims of [{ iss: 'demo-jwt' }, { iss: undefined }, { iss: harness.issuer }, { iss: [client.id] }])
      expect([claims, await ask({ claims })]).to.deep.equal([claims, REFUSED]);
    for (const sub of ['demo-jwt', 'nobody', 'acc_1']) expect(await ask({ claims: { sub } })).to.equal(REFUSED);
    for (const sub of [undefined, 1, null, [client.id]])
      expect(await ask({ claims: { sub } })).to.match(/^40[01] invalid_/);
  });

  it('live for at most five minutes, and not after their end', async () => {
    expect(await ask({ claims: { exp: now() + 295 } })).to.equal('200');
    // NumericDate may have a fraction (RFC 7519 section 2).
    expect(await ask({ claims: { exp: now() + 60.25, iat: now() - 0.5 } })).to.equal('200');
    for (const exp of [now() + 400, now() + 86_400, 9e15, now() - 60, undefined, 'soon', Number.MAX_VALUE, -1])
      expect([exp, await ask({ claims: { exp } })]).to.deep.equal([exp, REFUSED]);
  });

  it('may come from a clock 10 seconds ahead, not from one more than 60 seconds ahead', async () => {
    expect(await ask({ claims: { iat: now() + 10, nbf: now() + 10 } })).to.equal('200');
    expect(await ask({ claims: { iat: now() + 65 } })).to.equal(REFUSED);
    expect(await ask({ claims: { nbf: now() + 65 } })).to.equal(REFUSED);
  });

  it('work once: their jti is remembered', async () => {
    const once = await assertion(harness, client);
    expect(await send(once)).to.equal('200');
    expect(await send(once)).to.equal(REFUSED);
    const jti = 'chosen by the client';
    expect(await ask({ claims: { jti } })).to.equal('200');
    expect(await ask({ claims: { jti, exp: now() + 100 } })).to.equal(REFUSED);
    for (const wrong of [undefined, '', 1, 'x'.repeat(600)])
      expect(await ask({ claims: { jti: wrong } })).to.equal(REFUSED);
  });

  it('work once in a race of 20', async () => {
    const once = await assertion(harness, client);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => send(once)));
    expect(outcomes.filter((outcome) => outcome === '200')).to.have.length(1);
    expect(new Set(outcomes)).to.deep.equal(new Set(['200', REFUSED]));
  });

  it('do not take up the jti of another client', async () => {
    const other = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
    const claims = { jti: 'the same for both' };
    expect(await ask({ claims })).to.equal('200');
    expect(await send(await assertion(harness, other, { claims }))).to.equal('200');
  });

  it('are not used up by a failed attempt of somebody without the key', async () => {
    const stranger = (await generateKeyPair('ES256')).privateKey;
    const claims = { jti: 'guessed by a stranger' };
    expect(await ask({ claims, key: stranger })).to.equal(REFUSED);
    expect(await ask({ claims })).to.equal('200');
  });

  it('signed by another key are refused, whatever key their header names or brings', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    let hits = 0;
    const port = await freePort();
    const trap = createServer((_request, response) => {
      hits += 1;
      response.end(JSON.stringify({ keys: [jwk] }));
    });
    await new Promise<void>((resolve) => trap.listen(port, '127.0.0.1', resolve));
    for (const header of [
      {},
      { jwk },
      { jku: `http://127.0.0.1:${port}/jwks` },
      { x5u: `http://127.0.0.1:${port}/x5u` },
      { x5c: ['MIIB'] },
      { kid: 'unknown' },
      { kid: `http://127.0.0.1:${port}/kid` },
      { kid: '../../../../etc/passwd' },
      { kid: "' or 1=1 --" },
      { kid: '__proto__' },
    ]) {
      expect([header, await ask({ key: privateKey, header })]).to.deep.equal([header, REFUSED]);
    }
    // Also with the right key, what a header brings counts for nothing.
    expect(await ask({ header: { jku: `http://127.0.0.1:${port}/jwks`, x5u: 'x' } })).to.be.oneOf(['200', REFUSED]);
    await new Promise((resolve) => trap.close(resolve));
    expect(hits).to.equal(0);
  });

  it('need a registered, asymmetric algorithm', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const valid = await assertion(harness, client);
    const [, payload = '', signature] = valid.split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined, null, 1, ['ES256']]) {
      expect([alg, await send(`${part({ alg })}.${payload}.`)]).to.deep.equal([alg, REFUSED]);
      expect([alg, await send(`${part({ alg })}.${payload}.${signature}`)]).to.deep.equal([alg, REFUSED]);
    }
    // The public key as an HMAC secret is the classic confusion.
    const { privateJwk = {} } = client;
    const { d: _, ...publicJwk } = privateJwk;
    for (const text of [
      JSON.stringify(publicJwk),
      JSON.stringify({ kty: 'EC', crv: publicJwk.crv, x: publicJwk.x, y: publicJwk.y }),
    ])
      for (const alg of ['HS256', 'HS512'])
        expect(await ask({ header: { alg }, key: Buffer.from(text.padEnd(64)) })).to.equal(REFUSED);
    for (const alg of ['RS256', 'PS256']) {
      const { privateKey } = await generateKeyPair(alg);
      expect(await ask({ header: { alg }, key: privateKey })).to.equal(REFUSED);
    }
    const other = (await generateKeyPair('ES384')).privateKey;
    expect(await ask({ header: { alg: 'ES384' }, key: other })).to.equal(REFUSED);
  });

  it('with a critical header nobody understands are refused', async () => {
    const key = (await importJWK(client.privateJwk ?? {}, 'ES256')) as CryptoKey;
    const { SignJWT } = await import('jose');
    const jwt = await new SignJWT({ iss: client.id, sub: client.id, aud: harness.issuer, exp: now() + 60, jti: 'crit' })
      .setProtectedHeader({ alg: 'ES256', crit: ['urn:x'], 'urn:x': true })
      .sign(key, { crit: { 'urn:x': true } });
    expect(await send(jwt)).to.equal(REFUSED);
  });

  it('that were changed in any part are refused', async () => {
    const valid = await assertion(harness, client);
    const [header = '', , signature = ''] = valid.split('.');
    const claims = Buffer.from(
      JSON.stringify({ iss: client.id, sub: client.id, aud: harness.issuer, exp: now() + 60, jti: 'x' }),
    );
    expect(await send(`${header}.${claims.toString('base64url')}.${signature}`)).to.equal(REFUSED);
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    expect(await send(valid.replace(signature, flipped))).to.equal(REFUSED);
    expect(await send(valid.slice(0, -1))).to.equal(REFUSED);
    expect(await send(`${valid}.`)).to.match(/^40[01] invalid_/);
    for (const garbage of ['x', 'a.b', 'a.b.c', '...', `${'A'.repeat(30_000)}.e30.x`])
      expect(await send(garbage)).to.match(/^40[01] invalid_/);
    expect(await send(valid)).to.equal('200');
  });

  it('need their type named', async () => {
    for (const client_assertion_type of [undefined, 'x', 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer'])
      expect(await send(await assertion(harness, client), { client_assertion_type })).to.equal('400 invalid_request');
  });

  it('are no way in for clients with a secret, a public client or no client', async () => {
    for (const id of [DEMO.machine.id, DEMO.spa.id, 'nobody']) {
      const forged = await assertion(harness, { ...client, id, privateJwk: client.privateJwk ?? {} });
      expect([id, await send(forged)]).to.deep.equal([id, REFUSED]);
    }
  });

  it('verify with any registered key, so that keys can be exchanged without a gap', async () => {
    const next = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
    const { d: _, ...nextPublic } = next.privateJwk ?? {};
    const { d: __, ...ownPublic } = client.privateJwk ?? {};
    const both: ClientChange = { jwks: [ownPublic, nextPublic] as never };
    await harness.services.manageClients.update(client.id, both);
    expect(await ask()).to.equal('200');
    expect(await send(await assertion(harness, { ...client, privateJwk: next.privateJwk ?? {} }))).to.equal('200');
    await harness.services.manageClients.update(client.id, { jwks: [ownPublic] as never });
    expect(await send(await assertion(harness, { ...client, privateJwk: next.privateJwk ?? {} }))).to.equal(REFUSED);
  });

  it('cannot be registered with a private, weak or symmetric key', async () => {
    const rsa = await generateKeyPair('RS256', { extractable: true });
    const weak = { ...(await exportJWK(rsa.publicKey)), n: Buffer.alloc(128, 1).toString('base64url') };
    for (const jwk of [client.privateJwk, await exportJWK(rsa.privateKey), weak, { kty: 'oct', k: 'c2VjcmV0' }, {}]) {
      const refused = await createClient(harness, { authMethod: 'private_key_jwt', jwks: [jwk as never] }).catch(
        (error) => error,
      );
      expect(refused.code).to.equal('invalid_request');
    }
  });

  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
    it(`may be signed with ${alg}`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      const keyed = await createClient(harness, {
        authMethod: 'private_key_jwt',
        grantTypes: ['client_credentials'],
        jwks: [{ ...(await exportJWK(publicKey)), alg } as never],
      });
      const jwt = await assertion(harness, keyed, { key: privateKey, header: { alg, kid: undefined } });
      expect(await send(jwt)).to.equal('200');
    });
  }
});
