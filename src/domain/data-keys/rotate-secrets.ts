import { AppError } from '../../kit/errors.ts';
import { SealError, type Sealer, type WrappedKey, type WrappingRing } from '../../kit/seal.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { rewrapped } from '../provider-keys/envelope.ts';
import type { ProviderKey } from '../provider-keys/provider-key.ts';
import type { ProviderKeyStore } from '../provider-keys/provider-key-store.ts';
import { resealed } from '../signing-keys/key-material.ts';
import type { SigningKeyStore } from '../signing-keys/signing-key-store.ts';
import type { DataKeyStore } from './data-key-store.ts';
import { resealDataKeys } from './load-data-keys.ts';

/** A row that another process changes under our hands is read again, so often. */
const ROUNDS = 5;
/** Provider keys that are read at once: they may be many. */
const BATCH = 500;

export interface RotatedSecrets {
  dataKeys: number;
  signingKeys: number;
  providerKeys: number;
  /** Provider keys that the ring does not open: left as they are. How many there are by the id of what wrapped them. */
  unreadable: ReadonlyMap<string, number>;
}

/**
 * Puts every data key, signing key and provider key under the first secret of the ring, so that the others can be dropped.
 * Each row is replaced only if it still is what was read, and holds the same key before and after: servers may run, and a
 * rotation that stops half-way is finished by the next one. Throws SealError when the ring does not open a data key or
 * signing key; nothing of it is changed then. A provider key that does not open is counted and stays.
 */
export async function rotateSecrets({
  dataKeys,
  signingKeys,
  providerKeys,
  sealer,
  ring,
  audit,
  onProgress = () => {},
}: {
  dataKeys: DataKeyStore;
  signingKeys: SigningKeyStore;
  providerKeys: ProviderKeyStore;
  sealer: Sealer;
  /** Of the provider keys. */
  ring: WrappingRing;
  audit: RecordAudit;
  /** After each batch of provider keys: how many were wrapped anew so far. */
  onProgress?: (providerKeys: number) => void;
}): Promise<RotatedSecrets> {
  const done = { dataKeys: 0, signingKeys: 0, providerKeys: 0 };
  await inRounds(async () => {
    if (!(await isStale())) return false;
    done.dataKeys += await resealDataKeys(dataKeys, sealer);
    for (const key of await signingKeys.list()) {
      const sealed = resealed(key, sealer);
      if (sealed !== null && (await signingKeys.reseal(key.kid, key.sealedPrivateJwk, sealed))) done.signingKeys += 1;
    }
    return true;
  });

  let unreadable = new Map<string, number>();
  await inRounds(rewrapAll);
  const closed = [...unreadable.values()].reduce((sum, each) => sum + each, 0);
  await audit('secrets.rotated', { details: { ...done, unreadable: closed } });
  return { ...done, unreadable };

  async function isStale(): Promise<boolean> {
    const sealed = [
      ...(await dataKeys.list()).map((key) => key.sealed),
      ...(await signingKeys.list()).map((key) => key.sealedPrivateJwk),
    ];
    return sealed.some((text) => !sealer.isCurrent(text));
  }

  /** True when there was anything to do: what was added behind its back is found by going through once more. */
  async function rewrapAll(): Promise<boolean> {
    unreadable = new Map();
    let found = false;
    for (let batch = await batchAfter(''); batch.length > 0; batch = await batchAfter(batch.at(-1)?.id ?? '')) {
      for (const key of batch) {
        const to = rewrappedOrNull(key, ring);
        if (to === null) unreadable.set(key.wrappedBy, (unreadable.get(key.wrappedBy) ?? 0) + 1);
        else if (await providerKeys.rewrap(key.id, key.wrappedKey, to)) done.providerKeys += 1;
        found ||= to !== null;
      }
      onProgress(done.providerKeys);
    }
    return found;
  }

  function batchAfter(id: string): Promise<ProviderKey[]> {
    return providerKeys.listWrappedByOthers(ring.currentId, id, BATCH);
  }
}

function rewrappedOrNull(key: ProviderKey, ring: WrappingRing): WrappedKey | null {
  try {
    return rewrapped(key, ring);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    return null;
  }
}

async function inRounds(work: () => Promise<boolean>): Promise<void> {
  for (let round = 0; await work(); round += 1) {
    if (round < ROUNDS) continue;
    throw new AppError('temporarily_unavailable', {
      public: 'Some keys are not sealed under the first secret yet.',
      internal: 'other processes kept changing keys meanwhile; run it again',
    });
  }
}
