import type { Clock } from '../../kit/clock.ts';
import { sha256 } from '../../kit/digest.ts';
import type { Sealer } from '../../kit/seal.ts';
import { DEPLOYMENT_ROW, dataKeyContext } from './data-key.ts';
import type { DataKeyStore } from './data-key-store.ts';
import type { DataKeys } from './load-data-keys.ts';

/**
 * How this deployment's entries are named in a store that others use too. `own`: they carry its name. `shared`: they are named as
 * before there were such names, since what is there must be found and processes of the older version may run beside.
 */
export type StoreNames = 'own' | 'shared';

export interface Deployment {
  /** The same for all processes on one database, another one for every other database. */
  id: string;
  names: StoreNames;
}

/** A database that was made by this version says `own` from the start (see loadDataKeys); an older one says `shared` until it is told. */
export async function loadDeployment({
  store,
  sealer,
  dataKeys,
  clock,
}: {
  store: DataKeyStore;
  sealer: Sealer;
  dataKeys: DataKeys;
  clock: Clock;
}): Promise<Deployment> {
  const id = sha256(`deployment ${dataKeys.digest.toString('base64url')}`)
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 12);
  const context = dataKeyContext(DEPLOYMENT_ROW);
  const read = async (): Promise<StoreNames | null> => {
    const row = (await store.list()).find(({ name }) => name === DEPLOYMENT_ROW);
    return row ? (sealer.open(row.sealed, context).toString() as StoreNames) : null;
  };
  let names = await read();
  if (names === null) {
    // Of several processes that start at once one writes it.
    await store.insertAll([{ name: DEPLOYMENT_ROW, sealed: sealer.seal('shared', context), createdAt: clock.nowMs() }]);
    names = await read();
  }
  return { id, names: names === 'own' ? 'own' : 'shared' };
}

/** After everything was renamed: every process that starts from now on looks under the own names. */
export async function useOwnNames({ store, sealer }: { store: DataKeyStore; sealer: Sealer }): Promise<void> {
  const row = (await store.list()).find(({ name }) => name === DEPLOYMENT_ROW);
  if (row) await store.reseal(DEPLOYMENT_ROW, row.sealed, sealer.seal('own', dataKeyContext(DEPLOYMENT_ROW)));
}
