import type { Clock } from '../../kit/clock.ts';
import { randomBytes } from '../../kit/random.ts';
import { SealError, type Sealer } from '../../kit/seal.ts';
import { DATA_KEY_NAMES, type FixedDataKeyName, openDataKey, sealDataKey } from './data-key.ts';
import type { DataKeyStore } from './data-key-store.ts';

/** Those of fixed names; the peppers are in peppers.ts. */
export type DataKeys = Readonly<Record<FixedDataKeyName, Buffer>>;

/**
 * Opens the data keys; on an empty database creates them first. They are the canary of the key-encryption ring: when it
 * does not open them the process must not start, and must never make fresh ones in their place.
 */
export async function loadDataKeys({
  store,
  sealer,
  clock,
}: {
  store: DataKeyStore;
  sealer: Sealer;
  clock: Clock;
}): Promise<DataKeys> {
  let rows = await store.list();
  if (rows.length === 0) {
    const createdAt = clock.nowMs();
    const fresh = DATA_KEY_NAMES.map((name) => ({
      name,
      // A new database has no row without a MAC, and never takes one.
      sealed: sealDataKey({ name, key: randomBytes(32), rowsNeedMacs: true }, sealer),
      createdAt,
    }));
    await store.insertAll(fresh);
    rows = await store.list();
  }
  const entries = DATA_KEY_NAMES.map((name): [FixedDataKeyName, Buffer] => {
    const row = rows.find((candidate) => candidate.name === name);
    if (!row) throw new SealError(`the data key "${name}" is missing from the database; restore it from a backup`);
    return [name, openDataKey(row, sealer).key];
  });
  return Object.fromEntries(entries) as Record<FixedDataKeyName, Buffer>;
}

/** Re-seals every data key under the current key of the ring; returns how many were changed. */
export async function resealDataKeys(store: DataKeyStore, sealer: Sealer): Promise<number> {
  let changed = 0;
  for (const { name, sealed } of await store.list()) {
    if (sealer.isCurrent(sealed)) continue;
    const opened = openDataKey({ name, sealed }, sealer);
    if (await store.reseal(name, sealed, sealDataKey({ name, ...opened }, sealer))) changed += 1;
  }
  return changed;
}
