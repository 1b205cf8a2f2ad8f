import type { Clock } from '../../kit/clock.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import { recordKey } from './change-key.ts';
import { DAY_MS } from './key-rules.ts';

/** When an owner is warned, in days before the end; the nearest first. */
const STAGES = [3, 14, 30] as const;

/** The stage that a key with so long to live is in already: nobody needs a warning of the end they have just chosen. */
export const stagePassed = (remainingMs: number): number | null =>
  STAGES.find((days) => remainingMs <= days * DAY_MS) ?? null;

/**
 * Records that keys are about to expire, once for each stage: a key that is first met two days before its end is warned about
 * once. `warnExpiring` looks at no more than `limit` keys and returns at how many it has looked.
 */
export function createWarnExpiring({
  apiKeys,
  audit,
  clock,
}: {
  apiKeys: Pick<ApiKeyStore, 'listExpiring' | 'markWarned'>;
  audit: RecordAudit;
  clock: Clock;
}): (limit: number) => Promise<number> {
  return async (limit) => {
    const nowMs = clock.nowMs();
    let done = 0;
    for (const days of STAGES) {
      if (done >= limit) break;
      for (const key of await apiKeys.listExpiring(nowMs + days * DAY_MS, nowMs, days, limit - done)) {
        done += 1;
        if (!(await apiKeys.markWarned(key.id, days))) continue;
        await recordKey({ audit }, 'api_key.expiring', key, null, { days });
      }
    }
    return done;
  };
}
