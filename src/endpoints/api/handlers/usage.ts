import type { ApiKeyStore } from '../../../domain/api-keys/api-key-store.ts';
import type { UsageReports } from '../../../domain/usage/usage.ts';
import type { Clock } from '../../../kit/clock.ts';
import { time } from '../answers.ts';
import { type Handlers, who } from '../call.ts';

const DEFAULT_RANGE_MS = 30 * 86_400_000;
const HOUR_MS = 3_600_000;

export function createUsageHandler({
  reports,
  apiKeys,
  clock,
}: {
  reports: UsageReports;
  apiKeys: Pick<ApiKeyStore, 'find'>;
  clock: Clock;
}): Pick<Handlers, 'usage'> {
  return {
    async usage({ from: fromText, to: toText, interval, key_id: keyId, environment: asked }, call) {
      const { subject: ownerId, environment: own } = who(call);
      // The hour under way counts.
      const to = toText === undefined ? clock.nowMs() + HOUR_MS : Date.parse(toText);
      const from = fromText === undefined ? to - DEFAULT_RANGE_MS : Date.parse(fromText);
      // A key sees its own environment.
      const environment = own ?? asked;
      const report = await reports.report({
        ownerId,
        from,
        to,
        interval,
        ...(keyId === undefined ? {} : { keyId }),
        ...(environment === undefined ? {} : { environment }),
      });
      const lastUsed = await Promise.all(report.byKey.map(({ keyId: id }) => apiKeys.find(id)));
      return {
        from: time(from),
        to: time(to),
        totals: report.totals,
        series: report.series.map(({ start, ...counts }) => ({ start: time(start), ...counts })),
        keys: report.byKey.map(({ keyId: id, environment: of, allowed, refused }, index) => {
          const at = lastUsed[index]?.key.lastUsedAt ?? null;
          return { key_id: id, environment: of, allowed, refused, last_used_at: at === null ? null : time(at) };
        }),
      };
    },
  };
}
