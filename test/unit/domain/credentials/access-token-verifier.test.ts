import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createJwtVerifier } from '../../../../src/domain/credentials/access-token-verifier.ts';
import { generateSigningKey } from '../../../../src/domain/signing-keys/key-material.ts';
import { type KeySet, loadKeySet } from '../../../../src/domain/signing-keys/key-set.ts';
import { signJwt } from '../../../../src/domain/signing-keys/sign-jwt.ts';
import type { SigningKey } from '../../../../src/domain/signing-keys/signing-key.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';
import { createSealer, SealError } from '../../../../src/kit/seal.ts';

const ISSUER = 'https://id.example';

describe('verifying a JWT whose key this process does not know', () => {
  const sealer = createSealer(['a secret for this test, long enough']);
  let rows: SigningKey[];
  let failure: Error | null;
  let reads: number;
  let elsewhere: KeySet;
  let verify: ReturnType<typeof createJwtVerifier>;

  const open = () =>
    loadKeySet({
      sealer,
      store: {
        async list() {
          reads += 1;
          await sleep(5);
          if (failure) throw failure;
          return rows;
        },
      } as unknown as Parameters<typeof loadKeySet>[0]['store'],
    });
  const tokenOf = (keys: KeySet, claims: object = {}): string =>
    signJwt(keys.signer('ES256'), 'at+jwt', {
      iss: ISSUER,
      sub: 'usr_1',
      aud: 'https://api.example',
      client_id: 'cli_1',
      jti: 'one',
      exp: systemClock.nowSeconds() + 60,
      ...claims,
    });

  beforeEach(async () => {
    failure = null;
    rows = [await generateSigningKey('ES256', 'active', sealer, 1)];
    verify = createJwtVerifier({ issuer: ISSUER, keySet: await open(), clock: systemClock });
    rows = [
      await generateSigningKey('ES256', 'active', sealer, 2),
      ...rows.map((row) => ({ ...row, state: 'retired' as const })),
    ];
    elsewhere = await open();
    reads = 0;
  });

  it('looks for it once, and all who ask meanwhile get the answer', async () => {
    const token = tokenOf(elsewhere);
    const answers = await Promise.all(Array.from({ length: 50 }, () => verify(token)));
    expect(answers.map(({ kind }) => kind)).to.deep.equal(Array(50).fill('valid'));
    expect(reads).to.equal(1);
  });

  for (const error of [new StoreUnavailableError('the database', new Error('gone')), new SealError('another secret')]) {
    it(`does not call it invalid while the keys cannot be had (${error.name})`, async () => {
      const token = tokenOf(elsewhere);
      failure = error;
      for (let round = 0; round < 2; round += 1) {
        const asked = Array.from({ length: 20 }, () => verify(token).catch((thrown: unknown) => thrown));
        for (const outcome of await Promise.all(asked)) expect(outcome).to.be.instanceOf(StoreUnavailableError);
      }
      expect(reads).to.equal(1);
      failure = null;
      await sleep(1000);
      expect((await verify(token)).kind).to.equal('valid');
      expect(reads).to.equal(2);
    });
  }

  it('asks the store once for any number of made-up keys in a second, and keeps none of them waiting', async () => {
    const stranger = await generateSigningKey('ES256', 'active', sealer, 3);
    const foreign = await loadKeySet({ sealer, store: { list: async () => [stranger] } as never });
    const token = tokenOf(foreign);
    const started = performance.now();
    for (let n = 0; n < 50; n += 1) expect(await verify(token)).to.deep.equal({ kind: 'invalid' });
    expect(performance.now() - started).to.be.lessThan(900);
    expect(reads).to.equal(1);
    // The look for theirs has found ours.
    expect((await verify(tokenOf(elsewhere))).kind).to.equal('valid');
    expect(reads).to.equal(1);
  });

  it('does not look for what no key would make good', async () => {
    const over = tokenOf(elsewhere, { exp: systemClock.nowSeconds() - 1 });
    const another = tokenOf(elsewhere, { iss: 'https://another.example' });
    for (const token of [over, another]) expect(await verify(token)).to.deep.equal({ kind: 'invalid' });
    expect(reads).to.equal(0);
  });
});

describe('a JWT signed by a key of ours', () => {
  const sealer = createSealer(['a secret for this test, long enough']);
  let keySet: KeySet;
  let verify: ReturnType<typeof createJwtVerifier>;
  before(async () => {
    const rows = [await generateSigningKey('ES256', 'active', sealer, 1)];
    keySet = await loadKeySet({ sealer, store: { list: async () => rows } as never });
    verify = createJwtVerifier({ issuer: ISSUER, keySet, clock: systemClock });
  });
  const claims = () => ({
    iss: ISSUER,
    sub: 'usr_1',
    aud: 'https://api.example',
    client_id: 'cli_1',
    jti: 'one',
    exp: systemClock.nowSeconds() + 60,
  });

  it('is an access token by its type alone', async () => {
    const kinds: string[] = [];
    for (const typ of ['at+jwt', 'JWT', 'dpop+jwt', 'logout+jwt']) {
      kinds.push((await verify(signJwt(keySet.signer('ES256'), typ, claims()))).kind);
    }
    expect(kinds).to.deep.equal(['valid', 'invalid', 'invalid', 'invalid']);
  });

  it('is good by the algorithm of that key and by no other', async () => {
    const token = signJwt(keySet.signer('ES256'), 'at+jwt', claims());
    expect((await verify(token)).kind).to.equal('valid');
    const known = keySet.signer('ES256');
    const forRsa: KeySet = { ...keySet, byKid: () => ({ ...known, algorithm: 'RS256' }) };
    const another = createJwtVerifier({ issuer: ISSUER, keySet: forRsa, clock: systemClock });
    expect((await another(token)).kind).to.equal('invalid');
  });
});
