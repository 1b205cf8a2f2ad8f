import type { ApiKeyStore } from '../../../domain/api-keys/api-key-store.ts';
import type { UsageReports } from '../../../domain/usage/usage.ts';
import type { Clock } from '../../../kit/clock.ts';
import { time } from '../answers.ts';
import { type Handlers, who } from '../call.ts';

const DEFAULT_RANGE_MS = 30 * 86_400_000;

export function createUsageHandler({
  reports,
  apiKeys,
  clock,
}: {
  reports: UsageReports;
  apiKeys: Pick<ApiKeyStore, 'lastUses'>;
  clock: Clock;
}): Pick<Handlers, 'usage'> {
  return {
    async usage({ from: fromText, to: toText, interval, key_id: keyId, environment: asked }, call) {
      const { subject: ownerId, environment: own } = who(call);
      const to = toText === undefined ? clock.nowMs() : Date.parse(toText);
      const from = fromText === undefined ? to - DEFAULT_RANGE_MS : Date.parse(fromText);
      // A key sees its own environment.
      const environment = own ?? asked;
      const report = await reports.report({
        ownerId,
        from,
        // The hour under way counts.
        to: to + 1,
        interval,
        ...(keyId === undefined ? {} : { keyId }),
        ...(environment === undefined ? {} : { environment }),
      });
      const lastUses = await apiKeys.lastUses(ownerId);
      return {
        from: time(from),
        to: time(to),
        totals: report.totals,
        series: report.series.map(({ start, ...counts }) => ({ start: time(start), ...counts })),
        keys: report.byKey.map(({ keyId: id, environment: of, allowed, refused }) => {
          const at = lastUses.get(id);
          return { key_id: id, environment: of, allowed, refused, last_used_at: at === undefined ? null : time(at) };
        }),
      };
    },
  };
}
