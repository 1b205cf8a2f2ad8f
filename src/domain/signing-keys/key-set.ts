import { StoreUnavailableError } from '../../kit/errors.ts';
import type { Sealer } from '../../kit/seal.ts';
import { type LoadedSigningKey, loadSigningKey } from './key-material.ts';
import type { SigningAlgorithm } from './signing-key.ts';
import type { SigningKeyStore } from './signing-key-store.ts';

/** The signing keys as this process knows them. */
export interface KeySet {
  /** All published keys; the active one of each algorithm first. Throws temporarily_unavailable while there is none, as do the next two. */
  all(): readonly LoadedSigningKey[];
  signer(algorithm: SigningAlgorithm): LoadedSigningKey;
  byKid(kid: string): LoadedSigningKey | undefined;
  /** Changes whenever the keys do, so that whoever built something from them can tell. */
  version(): string;
  /** Reads the store again. */
  refresh(): Promise<void>;
}

/** Somebody emptied the table: the job that rotates makes new keys within this time, and until then no answer is right. */
const noKey = (what: string): StoreUnavailableError =>
  new StoreUnavailableError('the signing key', new Error(what), what);

const ORDER = { active: 0, published: 1, retired: 2 } as const;

/** Throws SealError when the ring does not open a key. */
export async function loadKeySet({ store, sealer }: { store: SigningKeyStore; sealer: Sealer }): Promise<KeySet> {
  let keys: readonly LoadedSigningKey[] = [];
  let version = '';

  async function refresh(): Promise<void> {
    const rows = await store.list();
    const seen = rows.map((row) => `${row.kid}:${row.state}`).join(' ');
    if (seen === version) return;
    keys = rows.map((row) => loadSigningKey(row, sealer)).sort((a, b) => ORDER[a.state] - ORDER[b.state]);
    version = seen;
  }

  await refresh();
  return {
    all() {
      if (keys.length === 0) throw noKey('there is no signing key');
      return keys;
    },
    version: () => version,
    signer(algorithm) {
      const key = keys.find((candidate) => candidate.algorithm === algorithm && candidate.state === 'active');
      if (!key) throw noKey(`there is no active ${algorithm} signing key`);
      return key;
    },
    byKid(kid) {
      if (keys.length === 0) throw noKey('there is no signing key');
      return keys.find((key) => key.kid === kid);
    },
    refresh,
  };
}
