import { systemClock } from '../../src/kit/clock.ts';
import { createLog, type Log } from '../../src/kit/log.ts';
import { openStorage, type StorageInput } from '../../src/storage/open-storage.ts';
import type { Stores } from '../../src/storage/stores.ts';

export const silentLog = (): Log => createLog({ level: 'silent' });

/** With its tables. */
export async function openStores(input: Partial<StorageInput> & { databaseUrl: string }): Promise<Stores> {
  const stores = await openStorage({ log: silentLog(), clock: systemClock, ...input });
  await stores.migrations.up();
  return stores;
}
