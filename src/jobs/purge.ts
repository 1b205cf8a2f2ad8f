import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../kit/clock.ts';

const BATCH = 500;

/**
 * Deletes batch by batch until nothing is left, and rests as long as each batch took, so that a million rows never take more
 * than half of the database's attention. At most ten minutes a turn.
 */
export async function drainInBatches(deleteSome: (limit: number) => Promise<number>, batch = BATCH): Promise<number> {
  const end = monotonicMs() + 600_000;
  let total = 0;
  for (;;) {
    const started = monotonicMs();
    const done = await deleteSome(batch);
    total += done;
    if (done < batch || monotonicMs() > end) return total;
    await sleep(Math.max(5, monotonicMs() - started));
  }
}
