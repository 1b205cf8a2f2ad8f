import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Creates the file, readable by its owner alone, and its folder, before SQLite would with the rights of the umask.
 * SQLite gives the write-ahead log the rights of the file. What exists keeps its rights.
 */
export function createSqliteFile(filename: string): void {
  if (filename === '' || filename.startsWith(':memory:')) return;
  mkdirSync(dirname(filename), { recursive: true, mode: 0o700 });
  closeSync(openSync(filename, 'a', 0o600));
}
