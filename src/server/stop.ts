import { monotonicMs } from '../kit/clock.ts';
import { endProcess, type Log } from '../kit/log.ts';

/** Whoever signals a whole process group, or has npm in between, reaches a process more than once within moments. */
const REPEAT_MS = 1000;

/** What there is to do when the requests are done: usage is written, leases are given back, stores are closed. Seconds. */
export const AFTERWARDS_SECONDS = 5;

/**
 * Ends the process in order on SIGTERM and SIGINT, once. Impatience, a SIGINT well after the first signal, ends it at once, and so
 * does a stop that takes longer than `withinSeconds`.
 */
export function onStop(log: Log, withinSeconds: number, stop: () => Promise<void>): void {
  let stoppingSince: number | null = null;
  const handle = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== null) {
      if (signal === 'SIGINT' && monotonicMs() - stoppingSince > REPEAT_MS) endProcess(1);
      return;
    }
    stoppingSince = monotonicMs();
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error({ withinSeconds }, 'not stopped in time; ending at once');
      endProcess(1);
    }, withinSeconds * 1000);
    stop().then(
      // A worker that had to be killed has left its code.
      () => endProcess(),
      (err) => {
        log.error({ err }, 'stopping failed');
        endProcess(1);
      },
    );
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
}
