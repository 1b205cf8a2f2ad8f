import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
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

/** What is beside the file and holds the same. */
const PARTS = ['', '-wal', '-shm'];
const OTHERS = 0o007;

const modeOf = (filename: string): number => statSync(filename, { throwIfNoEntry: false })?.mode ?? 0;

export const isReadableByOthers = (filename: string): boolean =>
  !isInMemory(filename) && PARTS.some((part) => (modeOf(filename + part) & OTHERS) !== 0);

/** A copy made under the usual umask is everybody's to read. Takes that right away; what the group may is the operator's choice. */
export function closeToOthers(filename: string, log: Log): void {
  if (!isReadableByOthers(filename)) return;
  try {
    for (const part of PARTS) {
      const mode = modeOf(filename + part);
      if ((mode & OTHERS) !== 0) chmodSync(filename + part, mode & 0o770);
    }
    log.warn({ file: filename }, 'every user of this machine could read the database file; no longer');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log.warn({ file: filename, code }, 'every user of this machine can read the database file; chmod it to 600');
  }
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
