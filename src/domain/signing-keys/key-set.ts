import type { Sealer } from '../../kit/seal.ts';
import { type LoadedSigningKey, loadSigningKey } from './key-material.ts';
import type { SigningAlgorithm } from './signing-key.ts';
import type { SigningKeyStore } from './signing-key-store.ts';

/** The signing keys as this process knows them. */
export interface KeySet {
  /** All published keys; the active one of each algorithm first. */
  all(): readonly LoadedSigningKey[];
  signer(algorithm: SigningAlgorithm): LoadedSigningKey;
  byKid(kid: string): LoadedSigningKey | undefined;
  /** Reads the store again; true when something changed. */
  refresh(): Promise<boolean>;
}

const ORDER = { active: 0, published: 1, retired: 2 } as const;

/** Throws SealError when the ring does not open a key. */
export async function loadKeySet({ store, sealer }: { store: SigningKeyStore; sealer: Sealer }): Promise<KeySet> {
  let keys: readonly LoadedSigningKey[] = [];
  let version = '';

  async function refresh(): Promise<boolean> {
    const rows = await store.list();
    const seen = rows.map((row) => `${row.kid}:${row.state}`).join(' ');
    if (seen === version) return false;
    keys = rows.map((row) => loadSigningKey(row, sealer)).sort((a, b) => ORDER[a.state] - ORDER[b.state]);
    version = seen;
    return true;
  }

  await refresh();
  return {
    all: () => keys,
    signer(algorithm) {
      const key = keys.find((candidate) => candidate.algorithm === algorithm && candidate.state === 'active');
      if (!key) throw new Error(`there is no active ${algorithm} signing key`);
      return key;
    },
    byKid: (kid) => keys.find((key) => key.kid === kid),
    refresh,
  };
}
