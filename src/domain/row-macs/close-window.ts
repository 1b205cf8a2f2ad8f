import type { Clock } from '../../kit/clock.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { authenticateRows } from './authenticate-rows.ts';
import type { RowMacStore } from './row-mac-store.ts';
import type { RowMacs } from './row-macs.ts';
import type { RowWindow } from './row-window.ts';

/** For so long after the migration rows of older versions count: a rolling update is over by then. */
export const WINDOW_MS = 24 * 3_600_000;

/** Puts a MAC on every row, and then lets no row count without one. Returns how many rows had none. */
export type CloseWindow = () => Promise<number>;

export function createCloseWindow({
  store,
  macs,
  window,
  audit,
  onClosed,
}: {
  store: RowMacStore;
  macs: RowMacs;
  window: RowWindow;
  audit: RecordAudit;
  /** Tells the other processes. */
  onClosed: () => Promise<void>;
}): CloseWindow {
  return async () => {
    const rows = await authenticateRows(store, macs);
    await window.close();
    await onClosed();
    await audit('rows.authenticated', { details: { rows } });
    return rows;
  };
}

/** The job: closes the window once it is over. */
export function createCloseWindowInTime({
  window,
  close,
  migratedAtMs,
  clock,
}: {
  window: RowWindow;
  close: CloseWindow;
  /** When the database got the column; null when it has it not. */
  migratedAtMs: () => Promise<number | null>;
  clock: Clock;
}): () => Promise<number> {
  return async () => {
    if (window.isClosed()) return 0;
    await window.refresh();
    if (window.isClosed()) return 0;
    const since = await migratedAtMs();
    // A time in the future is no reason to wait longer.
    const age = since === null ? 0 : Math.abs(clock.nowMs() - since);
    return age < WINDOW_MS ? 0 : close();
  };
}
