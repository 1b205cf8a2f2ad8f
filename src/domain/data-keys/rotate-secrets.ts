import { AppError } from '../../kit/errors.ts';
import type { Sealer } from '../../kit/seal.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { resealed } from '../signing-keys/key-material.ts';
import type { SigningKeyStore } from '../signing-keys/signing-key-store.ts';
import type { DataKeyStore } from './data-key-store.ts';
import { resealDataKeys } from './load-data-keys.ts';

/** A row that another process changes under our hands is read again, so often. */
const ROUNDS = 5;

/**
 * Seals every data key and signing key under the first secret of the ring, so that the others can be dropped. Each row is
 * replaced only if it still is what was read, and holds the same key before and after: servers may run, and a rotation that
 * stops half-way is finished by the next one. Throws SealError when the ring does not open a key; nothing of it is changed then.
 */
export async function rotateSecrets({
  dataKeys,
  signingKeys,
  sealer,
  audit,
}: {
  dataKeys: DataKeyStore;
  signingKeys: SigningKeyStore;
  sealer: Sealer;
  audit: RecordAudit;
}): Promise<{ dataKeys: number; signingKeys: number }> {
  const done = { dataKeys: 0, signingKeys: 0 };
  for (let round = 0; await isStale(); round += 1) {
    if (round === ROUNDS) {
      throw new AppError('temporarily_unavailable', {
        public: 'Some keys are not sealed under the first secret yet.',
        internal: 'other processes kept changing keys meanwhile; run it again',
      });
    }
    done.dataKeys += await resealDataKeys(dataKeys, sealer);
    for (const key of await signingKeys.list()) {
      const sealed = resealed(key, sealer);
      if (sealed !== null && (await signingKeys.reseal(key.kid, key.sealedPrivateJwk, sealed))) done.signingKeys += 1;
    }
  }
  await audit('secrets.rotated', { details: done });
  return done;

  async function isStale(): Promise<boolean> {
    const sealed = [
      ...(await dataKeys.list()).map((key) => key.sealed),
      ...(await signingKeys.list()).map((key) => key.sealedPrivateJwk),
    ];
    return sealed.some((text) => !sealer.isCurrent(text));
  }
}
