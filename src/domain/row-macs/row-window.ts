import { monotonicMs } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { Sealer } from '../../kit/seal.ts';
import { type DataKey, openDataKey, sealDataKey } from '../data-keys/data-key.ts';
import type { DataKeyStore } from '../data-keys/data-key-store.ts';

/**
 * Whether rows without a MAC count. A new database never accepts them. In one from before there were MACs they count until every row
 * has one and no process of an older version writes any more. The answer is part of how the digest key is sealed: who has only the
 * database cannot open the window again.
 */
export interface RowWindow {
  /** While it is open, looks from time to time whether another process closed it. */
  isClosed(): boolean;
  /** Reads it anew: another process may have closed it. */
  refresh(): Promise<void>;
  close(): Promise<void>;
  /** For going back to a version that knows no MACs. */
  reopen(): Promise<void>;
}

const ATTEMPTS = 5;
const LOOK_AGAIN_MS = 60_000;

export async function openRowWindow({ store, sealer }: { store: DataKeyStore; sealer: Sealer }): Promise<RowWindow> {
  let closed = false;
  let lookedAtMs = monotonicMs();

  async function read(): Promise<{ row: DataKey; key: Buffer; rowsNeedMacs: boolean }> {
    const row = (await store.list()).find(({ name }) => name === 'digest');
    if (!row) throw new AppError('server_error', { internal: 'the data key "digest" is missing in the database' });
    return { row, ...openDataKey(row, sealer) };
  }

  async function set(rowsNeedMacs: boolean): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = await read();
      const { row, key } = found;
      const isDone =
        found.rowsNeedMacs === rowsNeedMacs ||
        (await store.reseal(row.name, row.sealed, sealDataKey({ name: row.name, key, rowsNeedMacs }, sealer)));
      if (!isDone) continue;
      closed = rowsNeedMacs;
      return;
    }
    throw new AppError('temporarily_unavailable', { internal: 'others kept sealing the digest key; run it again' });
  }

  const refresh = async (): Promise<void> => {
    closed = (await read()).rowsNeedMacs;
  };
  await refresh();
  return {
    isClosed() {
      if (!closed && monotonicMs() - lookedAtMs >= LOOK_AGAIN_MS) {
        lookedAtMs = monotonicMs();
        refresh().catch(() => undefined);
      }
      return closed;
    },
    refresh,
    close: () => set(true),
    reopen: () => set(false),
  };
}
