import { AppError } from '../../kit/errors.ts';
import type { KeyEnvironment } from '../api-keys/key-format.ts';
import type { UsageReport, UsageReports } from './usage.ts';
import type { UsageBucket, UsageStore } from './usage-store.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LONGEST_DAYS = { hour: 92, day: 1100 };

type Interval = keyof typeof LONGEST_DAYS;
type Sums = UsageReport['totals'];

/** Sums what was counted, by hour or UTC day. Only allowed requests in a billable environment are billable. */
export function createUsageReports({
  store,
  environments,
}: {
  store: UsageStore;
  /** One that is not among them any more is free: nobody pays for what is not declared. */
  environments: Readonly<Record<string, Pick<KeyEnvironment, 'billable'>>>;
}): UsageReports {
  function add(sums: Sums, { environment, allowed, refused }: UsageBucket): void {
    sums.allowed += allowed;
    sums.refused += refused;
    const billable = Object.hasOwn(environments, environment) && environments[environment]?.billable;
    sums[billable ? 'billable' : 'free'] += allowed;
  }

  return {
    async report({ from, to, interval, ...whose }) {
      checkRange(from, to, interval);
      const widened = { from: startOf(from, HOUR_MS), to: startOf(to + HOUR_MS - 1, HOUR_MS) };
      const buckets = await store.list({ ...whose, ...widened });
      const totals = nothing();
      const series = new Map<number, Sums>();
      const byKey = new Map<string, UsageReport['byKey'][number]>();
      for (const bucket of buckets) {
        add(totals, bucket);
        add(entryOf(series, startOf(bucket.hour, interval === 'hour' ? HOUR_MS : DAY_MS), nothing), bucket);
        const { keyId, environment } = bucket;
        const ofKey = entryOf(byKey, `${keyId} ${environment}`, () => ({ keyId, environment, allowed: 0, refused: 0 }));
        ofKey.allowed += bucket.allowed;
        ofKey.refused += bucket.refused;
      }
      return {
        totals,
        series: [...series].map(([start, sums]) => ({ start, ...sums })).sort((a, b) => a.start - b.start),
        byKey: [...byKey.values()].sort(byMostUsed),
      };
    },
  };
}

/** Throws invalid_request naming `from` or `to`. */
function checkRange(from: number, to: number, interval: Interval): void {
  const fields: { field: string; problem: string }[] = [];
  for (const [field, time] of Object.entries({ from, to })) {
    if (!Number.isSafeInteger(time) || time < 0) fields.push({ field, problem: 'must be a time' });
  }
  if (fields.length === 0 && to <= from) fields.push({ field: 'to', problem: 'must be after from' });
  if (fields.length === 0 && to - from > LONGEST_DAYS[interval] * DAY_MS) {
    fields.push({ field: 'from', problem: `must be at most ${LONGEST_DAYS[interval]} days before to, by ${interval}` });
  }
  const [first] = fields;
  if (first) throw new AppError('invalid_request', { public: `${first.field} ${first.problem}.`, facts: { fields } });
}

const nothing = (): Sums => ({ allowed: 0, refused: 0, billable: 0, free: 0 });

const startOf = (timeMs: number, lengthMs: number): number => timeMs - (timeMs % lengthMs);

function entryOf<K, V>(entries: Map<K, V>, key: K, make: () => V): V {
  const known = entries.get(key);
  if (known !== undefined) return known;
  const made = make();
  entries.set(key, made);
  return made;
}

/** The most used first; equals in the order of their ids. */
const byMostUsed = (a: UsageReport['byKey'][number], b: UsageReport['byKey'][number]): number =>
  b.allowed + b.refused - a.allowed - a.refused ||
  a.keyId.localeCompare(b.keyId) ||
  a.environment.localeCompare(b.environment);
