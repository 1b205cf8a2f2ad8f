import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Server folders that distributions leave off an ordinary user's PATH. */
const SERVER_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec',
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/opt/homebrew/opt/postgresql@*/bin',
  '/opt/homebrew/opt/mariadb*/bin',
];

/** The first of the names found on PATH or in a usual server folder (the newest version first), or undefined. */
export function findBinary(...names: string[]): string | undefined {
  const newestFirst = (a: string, b: string) => b.localeCompare(a, 'en', { numeric: true });
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
    ...SERVER_FOLDERS.flatMap((pattern) => globSync(pattern).sort(newestFirst)),
  ];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
