import type { LeaseStore } from '../domain/leases/lease-store.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';

export interface Job {
  name: string;
  intervalSeconds: number;
  /** Returns how much it did, for the log. Must be safe to stop at any point and to run twice. */
  run(): Promise<number>;
}

export interface JobRunner {
  start(): void;
  /** Runs every job once now, whoever holds the lease. */
  runAll(): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** Runs each job on its interval, in one process at a time: whoever gets the lease. */
export function createJobRunner({
  jobs,
  leases,
  holder,
  clock,
  log,
}: {
  jobs: readonly Job[];
  leases: LeaseStore;
  holder: string;
  clock: Clock;
  log: Log;
}): JobRunner {
  const timers: NodeJS.Timeout[] = [];
  const running = new Set<Promise<void>>();
  let stopped = false;

  async function turn(job: Job): Promise<void> {
    try {
      // A little shorter than the interval: the next turn, by whichever process, finds it free.
      const held = await leases.acquire(`job:${job.name}`, holder, clock.nowMs(), job.intervalSeconds * 900);
      if (!held) return;
      const done = await job.run();
      if (done > 0) log.info({ job: job.name, done }, 'job');
    } catch (err) {
      log.warn({ job: job.name, err }, 'job failed; it runs again at its next turn');
    }
  }

  function schedule(job: Job, delayMs: number): void {
    if (stopped) return;
    const timer = setTimeout(() => {
      const done = turn(job).finally(() => {
        running.delete(done);
        schedule(job, job.intervalSeconds * 1000);
      });
      running.add(done);
    }, delayMs);
    timer.unref();
    timers.push(timer);
    if (timers.length > 100) timers.splice(0, 50);
  }

  return {
    start() {
      for (const job of jobs) schedule(job, Math.min(5000, job.intervalSeconds * 1000));
    },
    async runAll() {
      const done: Record<string, number> = {};
      for (const job of jobs) done[job.name] = await job.run();
      return done;
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
