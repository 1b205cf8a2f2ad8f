import { expect } from 'chai';
import { jwtVerify } from 'jose';
import { generateSigningKey, loadSigningKey } from '../../../../src/domain/signing-keys/key-material.ts';
import { signJwt } from '../../../../src/domain/signing-keys/sign-jwt.ts';
import { createSealer } from '../../../../src/kit/seal.ts';

describe('signing a JWT', () => {
  const sealer = createSealer(['a secret for this test, long enough']);

  it('gives what another library verifies, for signatures of every length', async () => {
    const key = loadSigningKey(await generateSigningKey('ES256', 'active', sealer, 1), sealer);
    // One in 128 has a number that is shorter than 32 bytes.
    for (let i = 0; i < 1500; i += 1) {
      const { payload, protectedHeader } = await jwtVerify(signJwt(key, 'at+jwt', { i }), key.publicKey);
      expect([payload.i, protectedHeader]).to.deep.equal([i, { alg: 'ES256', typ: 'at+jwt', kid: key.kid }]);
    }
  });

  it('refuses a key of another algorithm', async () => {
    const key = loadSigningKey(await generateSigningKey('RS256', 'active', sealer, 1), sealer);
    expect(() => signJwt(key, 'at+jwt', {})).to.throw(TypeError);
  });
});
