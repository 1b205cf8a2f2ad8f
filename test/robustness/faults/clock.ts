/** The clock of one node is wrong for a while. */
import { globSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { between, type Fault } from './fault.ts';

/** How long the library believes what it read. */
const READ_AGAIN_SECONDS = 1;
const STEPS_SECONDS = [-600, -60, -5, 5, 70, 600];

/** Debian's package faketime; null when it is not installed. */
export function findClockLibrary(): string | null {
  const found = globSync(['/usr/lib/*/faketime/libfaketime.so.1', '/usr/lib/faketime/libfaketime.so.1']);
  return found[0] ?? null;
}

/** What a process is started with whose clock the file sets. Its timers and its other clock go on as they are. */
export function clockEnvironment(library: string, file: string): Record<string, string> {
  setClock(file, 0);
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: String(READ_AGAIN_SECONDS),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

function setClock(file: string, seconds: number): void {
  writeFileSync(file, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s`);
}

export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: 'clock of b',
    of: 'surroundings',
    concerns: () => true,
    missing: ({ clockLibrary }) => (clockLibrary ? null : 'libfaketime is not installed (package faketime)'),
    draw: between(2_500, 6_000, STEPS_SECONDS),
    marks: () => ({ movesClock: true }),
    healsInMs: (READ_AGAIN_SECONDS + 1) * 1_000,
    async inject({ clockFile }, { amount }) {
      if (clockFile) setClock(clockFile, amount);
      return async () => {
        if (clockFile) setClock(clockFile, 0);
        await sleep((READ_AGAIN_SECONDS + 0.5) * 1_000);
      };
    },
  },
];
