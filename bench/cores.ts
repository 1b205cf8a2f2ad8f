import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The measured process has this core; the databases, the load generator and the bench itself have the others. */
const MEASURED_CORE = 1;

/** Clock ticks per second of /proc: fixed at 100 on every Linux that Node runs on. */
const TICK_MS = 10;

export const pinned = (command: readonly string[]): string[] => ['taskset', '-c', String(MEASURED_CORE), ...command];

/** Keeps this process, and all it starts without `pinned`, off the measured core. */
export function leaveMeasuredCore(): void {
  if (process.platform !== 'linux' || availableParallelism() < 2) {
    throw new Error('the benchmark needs Linux with two cores: one for what is measured, one for everything else');
  }
  const others = Array.from({ length: availableParallelism() }, (_, core) => core).filter(
    (core) => core !== MEASURED_CORE,
  );
  execFileSync('taskset', ['--all-tasks', '-pc', others.join(','), String(process.pid)], { stdio: 'ignore' });
}

/** Time on a core since the process started, in the program and in the kernel for it, of all its threads. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, the command in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
