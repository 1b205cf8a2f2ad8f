import { monotonicMs } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';

/** Whoever signals a whole process group, or has npm in between, reaches a process more than once within moments. */
const REPEAT_MS = 1000;

/** Ends the process in order on SIGTERM and SIGINT, once. Impatience, a SIGINT well after the first signal, ends it at once. */
export function onStop(log: Log, stop: () => Promise<void>): void {
  let stoppingSince: number | null = null;
  const handle = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== null) {
      if (signal === 'SIGINT' && monotonicMs() - stoppingSince > REPEAT_MS) process.exit(1);
      return;
    }
    stoppingSince = monotonicMs();
    log.info({ signal }, 'stopping');
    stop().then(
      () => log.flush(() => process.exit(0)),
      (err) => {
        log.error({ err }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
}
