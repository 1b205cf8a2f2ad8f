import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createJwtVerifier } from '../../../../src/domain/credentials/access-token-verifier.ts';
import { generateSigningKey } from '../../../../src/domain/signing-keys/key-material.ts';
import { type KeySet, loadKeySet } from '../../../../src/domain/signing-keys/key-set.ts';
import { signJwt } from '../../../../src/domain/signing-keys/sign-jwt.ts';
import type { SigningKey } from '../../../../src/domain/signing-keys/signing-key.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';
import { createSealer } from '../../../../src/kit/seal.ts';

const ISSUER = 'https://id.example';

describe('verifying a JWT whose key this process does not know', () => {
  const sealer = createSealer(['a secret for this test, long enough']);
  let rows: SigningKey[];
  let down: boolean;
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
          if (down) throw new StoreUnavailableError('the database', new Error('gone'));
          return rows;
        },
      } as unknown as Parameters<typeof loadKeySet>[0]['store'],
    });
  const tokenOf = (keys: KeySet): string =>
    signJwt(keys.signer('ES256'), 'at+jwt', {
      iss: ISSUER,
      sub: 'usr_1',
      aud: 'https://api.example',
      client_id: 'cli_1',
      jti: 'one',
      exp: systemClock.nowSeconds() + 60,
    });

  beforeEach(async () => {
    down = false;
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

  it('does not call it invalid while the keys cannot be read, and no more often than once a second tries', async () => {
    const token = tokenOf(elsewhere);
    down = true;
    for (let time = 0; time < 5; time += 1) {
      const outcome = await verify(token).catch((error: unknown) => error);
      expect(outcome).to.be.instanceOf(StoreUnavailableError);
    }
    expect(reads).to.equal(1);
    down = false;
    await sleep(1000);
    expect((await verify(token)).kind).to.equal('valid');
    expect(reads).to.equal(2);
  });

  it('asks the store once a second for any number of made-up keys', async () => {
    const strangers = await Promise.all(
      Array.from({ length: 20 }, () => generateSigningKey('ES256', 'active', sealer, 3)),
    );
    for (const stranger of strangers) {
      const foreign = await loadKeySet({ sealer, store: { list: async () => [stranger] } as never });
      expect(await verify(tokenOf(foreign))).to.deep.equal({ kind: 'invalid' });
    }
    expect(reads).to.equal(1);
  });
});
