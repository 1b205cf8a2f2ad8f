import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreUnavailableError } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';

export const isInMemory = (filename: string): boolean => filename === '' || filename.startsWith(':memory:');

/**
 * Creates the file, readable by its owner alone, and its folder, before SQLite would with the rights of the umask.
 * SQLite gives the write-ahead log the rights of the file. What exists keeps its rights.
 */
export function createSqliteFile(filename: string): void {
  if (isInMemory(filename)) return;
  mkdirSync(dirname(filename), { recursive: true, mode: 0o700 });
  closeSync(openSync(filename, 'a', 0o600));
}

/**
 * Throws when the file is not the one that was there first: what is written to a file that was removed or replaced while it was
 * open is lost with the process, though it was acknowledged. Cheap enough for every statement.
 */
export function watchSqliteFile(filename: string, log: Log): () => void {
  if (isInMemory(filename)) return () => {};
  const identity = (): string | null => {
    const found = statSync(filename, { throwIfNoEntry: false });
    return found ? `${found.dev}:${found.ino}` : null;
  };
  const first = identity();
  let intact = true;
  return () => {
    const now = identity();
    const before = intact;
    intact = now === first;
    if (intact && !before) log.info('the database file is back');
    if (intact) return;
    const reason = `its file was ${now === null ? 'removed' : 'replaced'} while it was open; put it back or restart`;
    if (before) log.error({ reason }, 'the database file is gone; nothing is written');
    throw new StoreUnavailableError('database', undefined, reason);
  };
}
