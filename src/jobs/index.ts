import type { AuditStore } from '../domain/audit/audit-store.ts';
import type { IdempotentRequestStore } from '../domain/idempotency/idempotent-request.ts';
import type { RateLimitStore } from '../domain/limits/rate-limit-store.ts';
import type { ThrottleStore } from '../domain/limits/throttle-store.ts';
import type { KeyRotation } from '../domain/signing-keys/rotation.ts';
import type { DurableTokenStore } from '../domain/tokens/token-store.ts';
import type { UsageStore } from '../domain/usage/usage-store.ts';
import { CLOCK_SKEW_MS, type Clock } from '../kit/clock.ts';
import { drainInBatches } from './purge.ts';
import type { Job } from './runner.ts';

/** Every job of the server, on one screen. */
export function createJobs({
  tokens,
  throttle,
  audit,
  rotation,
  clock,
  graceSeconds,
  auditRetentionSeconds,
  rateLimits,
  idempotentRequests,
  usage,
  usageRetentionSeconds,
  warnExpiring,
  closeRowWindow,
}: {
  tokens: DurableTokenStore;
  throttle: ThrottleStore;
  audit: AuditStore;
  rotation: KeyRotation;
  clock: Clock;
  graceSeconds: number;
  auditRetentionSeconds: number;
  rateLimits: Pick<RateLimitStore, 'purge'>;
  idempotentRequests: Pick<IdempotentRequestStore, 'purge'>;
  usage: Pick<UsageStore, 'purge'>;
  usageRetentionSeconds: number;
  warnExpiring: (limit: number) => Promise<number>;
  closeRowWindow: () => Promise<number>;
}): Job[] {
  return [
    {
      name: 'purge-tokens',
      intervalSeconds: 60,
      // Ten minutes after their end: whoever still asks is told "expired" rather than "unknown".
      run: () => drainInBatches((limit) => tokens.purge(clock.nowSeconds() - 600, limit)),
    },
    {
      name: 'clear-receipts',
      intervalSeconds: 60,
      run: () => {
        const nowMs = clock.nowMs();
        const answerable = [nowMs - graceSeconds * 1000 - CLOCK_SKEW_MS, nowMs + CLOCK_SKEW_MS] as const;
        return drainInBatches((limit) => tokens.clearReceipts(answerable, limit));
      },
    },
    {
      name: 'purge-throttles',
      intervalSeconds: 300,
      run: () => drainInBatches((limit) => throttle.purge(clock.nowMs(), limit)),
    },
    {
      name: 'purge-audit',
      intervalSeconds: 3600,
      run: () => drainInBatches((limit) => audit.purge(clock.nowMs() - auditRetentionSeconds * 1000, limit)),
    },
    { name: 'purge-rate-limits', intervalSeconds: 300, run: () => drainInBatches((limit) => rateLimits.purge(limit)) },
    {
      name: 'purge-idempotent-requests',
      intervalSeconds: 600,
      run: () => drainInBatches((limit) => idempotentRequests.purge(clock.nowMs(), limit)),
    },
    {
      name: 'purge-usage',
      intervalSeconds: 3600,
      run: () => drainInBatches((limit) => usage.purge(clock.nowMs() - usageRetentionSeconds * 1000, limit)),
    },
    { name: 'warn-expiring-api-keys', intervalSeconds: 3600, run: () => drainInBatches(warnExpiring) },
    { name: 'authenticate-rows', intervalSeconds: 600, run: closeRowWindow },
    { name: 'rotate-signing-keys', intervalSeconds: 10, run: () => rotation.run() },
  ];
}
