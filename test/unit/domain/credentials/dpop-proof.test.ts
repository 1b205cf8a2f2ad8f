import { expect } from 'chai';
import { CompactSign } from 'jose';
import { type ProofProblem, readDpopProof } from '../../../../src/domain/credentials/proof/dpop-proof.ts';
import { createProofKeys, type ProofChange, type ProofKeys, proofFor } from '../../../support/dpop.ts';

const URL_ = 'https://auth.example.com/oauth2/token';
const NOW = 1_800_000_000;

describe('a DPoP proof', () => {
  let keys: ProofKeys;
  before(async () => {
    keys = await createProofKeys();
  });

  const make = (change: ProofChange = {}, by: ProofKeys = keys): Promise<string> =>
    proofFor(URL_, by, { ...change, claims: { iat: NOW, ...change.claims } });

  async function outcome(
    proof: string | readonly string[] | null | undefined,
    request: { method?: string; url?: string; accessToken?: string } = {},
  ): Promise<ProofProblem | 'read'> {
    const result = await readDpopProof({ proof, method: 'POST', url: URL_, ...request }, NOW);
    return result.kind === 'read' ? 'read' : result.reason;
  }
  const outcomeOf = async (change: ProofChange): Promise<ProofProblem | 'read'> => outcome(await make(change));

  it('tells the thumbprint of its key, its jti and its nonce', async () => {
    const proof = await make({ claims: { jti: 'first', nonce: 'n' } });
    expect(await readDpopProof({ proof, method: 'POST', url: URL_ }, NOW)).to.deep.equal({
      kind: 'read',
      jkt: keys.jkt,
      jti: 'first',
      issuedAt: NOW,
      nonce: 'n',
    });
  });

  it('is there exactly once', async () => {
    const proof = await make();
    for (const nothing of [undefined, null, '', []]) expect(await outcome(nothing)).to.equal('no proof');
    expect(await outcome([proof])).to.equal('read');
    for (const two of [[proof, proof], [proof, ''], `${proof}, ${proof}`, `${proof},`])
      expect(await outcome(two), String(two)).to.equal('more than one proof');
  });

  it('is a JWT of its own type', async () => {
    for (const typ of [undefined, 'JWT', 'at+jwt', 'application/dpop+jwt', 'DPoP+JWT', 'logout+jwt', ['dpop+jwt']])
      expect([typ, await outcomeOf({ header: { typ } })]).to.deep.equal([typ, 'not a DPoP proof']);
    const proof = await make();
    for (const text of [
      'x',
      'a.b.c',
      `${proof}.x`,
      proof.replace('.', '..'),
      ` ${proof}`,
      `"${proof}"`,
      '€.€.€',
      '...',
    ])
      expect([text, await outcome(text)]).to.deep.equal([text, 'not a DPoP proof']);
    expect(await outcomeOf({ claims: { filler: 'x'.repeat(8192) } })).to.equal('not a DPoP proof');
  });

  it('is signed with any of the accepted algorithms', async () => {
    for (const alg of ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256']) {
      const own = await createProofKeys(alg);
      const result = await readDpopProof({ proof: await make({}, own), method: 'POST', url: URL_ }, NOW);
      expect([alg, result.kind === 'read' && result.jkt]).to.deep.equal([alg, own.jkt]);
    }
  });

  it('is not signed with any other algorithm, a shared key or nothing', async () => {
    for (const alg of ['ES384', 'RS512']) {
      const own = await createProofKeys(alg);
      expect([alg, await outcome(await make({}, own))]).to.deep.equal([alg, 'algorithm not accepted']);
    }
    const shared = new TextEncoder().encode(JSON.stringify(keys.publicJwk));
    const symmetric = await make({ header: { alg: 'HS256' }, signWith: shared });
    expect(await outcome(symmetric)).to.equal('algorithm not accepted');
    const [, payload] = (await make()).split('.');
    for (const alg of ['none', 'None', '', undefined, ['ES256'], 'toString']) {
      const header = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg, jwk: keys.publicJwk })).toString('base64url');
      expect([alg, await outcome(`${header}.${payload}.AA`)]).to.deep.equal([alg, 'algorithm not accepted']);
    }
    const none = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg: 'none' })).toString('base64url');
    expect(await outcome(`${none}.${payload}.`)).to.equal('not a DPoP proof');
  });

  it('carries a public key of the kind its algorithm needs, and no other', async () => {
    const rsa = await createProofKeys('RS256');
    const okp = await createProofKeys('EdDSA');
    const symmetric = { kty: 'oct', k: 'c2VjcmV0' };
    for (const jwk of [
      undefined,
      null,
      'x',
      [],
      {},
      symmetric,
      keys.privateJwk,
      { ...keys.publicJwk, k: 'x' },
      { ...keys.publicJwk, d: null },
      { ...keys.publicJwk, crv: 'P-384' },
      { ...keys.publicJwk, x: keys.publicJwk.y },
      { ...keys.publicJwk, y: undefined },
      { ...keys.publicJwk, y: 1 },
      { ...keys.publicJwk, kty: 'OKP' },
      rsa.publicJwk,
      okp.publicJwk,
    ])
      expect([jwk, await outcomeOf({ header: { jwk } })]).to.deep.equal([jwk, 'key not accepted']);
  });

  it('has an RSA key of 2048 to 4096 bits with a usual exponent', async () => {
    const rsa = await createProofKeys('RS256', { modulusLength: 2048 });
    expect(await outcome(await make({}, rsa))).to.equal('read');
    const n = Buffer.from(rsa.publicJwk.n ?? '', 'base64url');
    const withKey = (change: { n?: Buffer; e?: Buffer }) => ({
      ...rsa.publicJwk,
      n: (change.n ?? n).toString('base64url'),
      ...(change.e ? { e: change.e.toString('base64url') } : {}),
    });
    for (const [what, jwk] of Object.entries({
      short: withKey({ n: n.subarray(0, 255) }),
      'short with zeros in front': withKey({ n: Buffer.concat([Buffer.alloc(128), n.subarray(0, 128)]) }),
      'one bit short': withKey({ n: Buffer.concat([Buffer.from([0x7f]), n.subarray(1)]) }),
      long: withKey({ n: Buffer.concat([n, n, n]) }),
      'a costly exponent': withKey({ e: Buffer.alloc(64, 255) }),
    }))
      expect([what, await outcome(await make({ header: { jwk } }, rsa))]).to.deep.equal([what, 'key not accepted']);
  });

  it('is signed with the very key it carries', async () => {
    const other = await createProofKeys();
    expect(await outcomeOf({ signWith: other.privateKey })).to.equal('wrong signature');
    const [header, , signature] = (await make()).split('.');
    const [, payload] = (await make({ claims: { jti: 'another' } })).split('.');
    expect(await outcome(`${header}.${payload}.${signature}`)).to.equal('wrong signature');
  });

  it('is for this method, letter for letter', async () => {
    for (const htm of ['GET', 'post', 'POST ', '', undefined, ['POST']])
      expect([htm, await outcomeOf({ claims: { htm } })]).to.deep.equal([htm, 'other method']);
    expect(await outcome(await make({ claims: { htm: 'GET' } }), { method: 'GET' })).to.equal('read');
  });

  it('is for this URL, whatever its query and fragment', async () => {
    for (const htu of [
      `${URL_}?a=b`,
      `${URL_}#c`,
      `${URL_}?a#b`,
      'HTTPS://AUTH.example.com/oauth2/token',
      'https://auth.example.com:443/oauth2/token',
      'https://auth.example.com/x/../oauth2/token',
      'https://auth.example.com/%6Fauth2/token',
    ])
      expect([htu, await outcomeOf({ claims: { htu } })]).to.deep.equal([htu, 'read']);
    for (const htu of [
      'http://auth.example.com/oauth2/token',
      'https://auth.example.com/oauth2/token/',
      'https://auth.example.com/oauth2/Token',
      'https://auth.example.com/oauth2%2Ftoken',
      'https://auth.example.com:8443/oauth2/token',
      'https://user@auth.example.com/oauth2/token',
      'https://auth.example.com.evil.example/oauth2/token',
      'https://auth.example.com/oauth2',
      '/oauth2/token',
      'data:text/plain,x',
      '',
      undefined,
      1,
      [URL_],
    ])
      expect([htu, await outcomeOf({ claims: { htu } })]).to.deep.equal([htu, 'other URI']);
    const asked = `${URL_}?page=2#top`;
    expect(await outcome(await make(), { url: asked })).to.equal('read');
    const encoded = 'https://api.example.com/a%2fb';
    expect(await outcome(await make({ claims: { htu: 'https://api.example.com/a%2Fb' } }), { url: encoded })).to.equal(
      'read',
    );
  });

  it('was made within the last 60 seconds, or by a clock at most 10 ahead', async () => {
    for (const seconds of [-60, -30, -0.5, 0, 10])
      expect([seconds, await outcomeOf({ claims: { iat: NOW + seconds } })]).to.deep.equal([seconds, 'read']);
    for (const iat of [NOW - 61, NOW + 11, NOW * 1000, 0, -1, undefined, String(NOW), null])
      expect([iat, await outcomeOf({ claims: { iat } })]).to.deep.equal([iat, 'outside its time']);
    expect(await outcomeOf({ claims: { exp: NOW - 11 } })).to.equal('outside its time');
    expect(await outcomeOf({ claims: { nbf: NOW + 11 } })).to.equal('outside its time');
    expect(await outcomeOf({ claims: { exp: NOW + 60, nbf: NOW + 8 } })).to.equal('read');
  });

  it('has a jti of 1 to 512 characters', async () => {
    for (const jti of ['x', 'x'.repeat(512), 'ü\u0000'])
      expect([jti, await outcomeOf({ claims: { jti } })]).to.deep.equal([jti, 'read']);
    for (const jti of ['', 'x'.repeat(513), undefined, 1, ['x']]) {
      expect([jti, await outcomeOf({ claims: { jti } })]).to.deep.equal([jti, 'no usable jti']);
    }
  });

  it('names the access token that it comes with', async () => {
    const accessToken = 'gat_token';
    const proof = await make({ accessToken });
    expect(await outcome(proof, { accessToken })).to.equal('read');
    expect(await outcome(proof)).to.equal('read');
    for (const wrong of [await make(), await make({ accessToken: 'gat_other' }), await make({ claims: { ath: '' } })])
      expect(await outcome(wrong, { accessToken })).to.equal('other access token');
    expect(await outcome(proof, { accessToken: '' })).to.equal('other access token');
  });

  it('holds claims, and nothing its reader would have to understand first', async () => {
    const sign = (payload: string, header: object = {}): Promise<string> =>
      new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: keys.publicJwk, ...header })
        .sign(keys.privateKey, { crit: { x: true } });
    const claims = JSON.stringify({ htm: 'POST', htu: URL_, iat: NOW, jti: 'x' });
    expect(await outcome(await sign(claims))).to.equal('read');
    for (const payload of ['null', '[]', '"x"', '1', '{', ' '])
      expect([payload, await outcome(await sign(payload))]).to.deep.equal([payload, 'not a DPoP proof']);
    expect(await outcome(await sign(claims, { crit: ['x'], x: 1 }))).to.equal('not a DPoP proof');
  });
});
