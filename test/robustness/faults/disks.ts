/** Disks without space: the database file's, and the log's. Small ones in memory, which only root may mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../../support/at-exit.ts';
import { between, type Fault, type Place } from './fault.ts';

const DISK_SIZE = '64m';
const BLOCK = Buffer.alloc(4_096);
const FILLER = 'filler';

/** Whether this machine lets us mount one: tried once. */
export function canMountDisks(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-disk-'));
  try {
    mountDisk(folder).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Disk {
  path: string;
  fill(): void;
  empty(): void;
  unmount(): void;
}

export function mountDisk(path: string): Disk {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE},mode=0755`, 'tmpfs', path], { stdio: 'pipe' });
  let mounted = true;
  const disk: Disk = {
    path,
    fill() {
      const file = openSync(join(path, FILLER), 'w');
      try {
        for (;;) writeSync(file, BLOCK);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    empty: () => rmSync(join(path, FILLER), { force: true }),
    unmount() {
      if (!mounted) return;
      mounted = false;
      // Lazily: a process that still ends holds its files a moment longer.
      execFileSync('umount', ['-l', path], { stdio: 'pipe' });
    },
  };
  atExit(() => disk.unmount());
  return disk;
}

const missing = ({ disks }: Place): string | null => (disks ? null : 'only root may mount a small disk');

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'SQLite: disk full',
    of: 'surroundings',
    concerns: ({ database }) => database === 'sqlite',
    missing,
    draw: between(1_000, 4_000),
    healsInMs: 500,
    async inject({ storeDisk }) {
      storeDisk?.fill();
      return async () => storeDisk?.empty();
    },
  },
  {
    name: 'log: disk full',
    of: 'surroundings',
    concerns: () => true,
    missing,
    draw: between(1_000, 4_000),
    healsInMs: 500,
    async inject({ logDisk }) {
      logDisk?.fill();
      return async () => logDisk?.empty();
    },
  },
];
