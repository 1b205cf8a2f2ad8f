import { expect } from 'chai';
import type { UsageReports } from '../../../../src/domain/usage/usage.ts';
import { createUsageReports } from '../../../../src/domain/usage/usage-reports.ts';
import type { UsageBucket, UsageStore } from '../../../../src/domain/usage/usage-store.ts';
import { AppError } from '../../../../src/kit/errors.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The first moment of a UTC day. */
const DAY = Date.UTC(2027, 0, 15);

const ENVIRONMENTS = { live: { billable: true }, test: { billable: false } };

const bucket = (hour: number, counts: Partial<UsageBucket> = {}): UsageBucket => ({
  keyId: 'key_a',
  ownerId: 'acc_ada',
  environment: 'live',
  hour,
  allowed: 1,
  refused: 0,
  ...counts,
});

function reportsOn(buckets: UsageBucket[]) {
  const asked: Parameters<UsageStore['list']>[0][] = [];
  const store: UsageStore = {
    add: async () => undefined,
    list: async (filter) => {
      asked.push(filter);
      return buckets.filter(({ hour }) => hour >= filter.from && hour < filter.to);
    },
    purge: async () => 0,
  };
  return { reports: createUsageReports({ store, environments: ENVIRONMENTS }), asked };
}

type Filter = Parameters<UsageReports['report']>[0];
const filter = (given: Partial<Filter> = {}): Filter => ({
  ownerId: 'acc_ada',
  from: DAY,
  to: DAY + 2 * DAY_MS,
  interval: 'hour',
  ...given,
});

async function problemOf(given: Partial<Filter>): Promise<string> {
  const { reports, asked } = reportsOn([]);
  const failure: unknown = await reports.report(filter(given)).catch((err: unknown) => err);
  expect(asked).to.deep.equal([]);
  expect(failure).to.be.instanceOf(AppError).with.property('code', 'invalid_request');
  return (failure as AppError).facts.fields?.map(({ field }) => field).join() ?? '';
}

describe('a usage report', () => {
  const buckets = [
    bucket(DAY, { allowed: 10, refused: 2 }),
    bucket(DAY, { keyId: 'key_b', environment: 'test', allowed: 30, refused: 1 }),
    bucket(DAY + 5 * HOUR_MS, { allowed: 5 }),
    bucket(DAY + DAY_MS, { environment: 'gone', allowed: 7 }),
  ];

  it('bills what was allowed in a billable environment; the rest that was allowed is free', async () => {
    const { totals } = await reportsOn(buckets).reports.report(filter());
    expect(totals).to.deep.equal({ allowed: 52, refused: 3, billable: 15, free: 37 });
  });

  it('has an entry for each hour in which something happened, in order', async () => {
    const { series } = await reportsOn(buckets.toReversed()).reports.report(filter());
    expect(series).to.deep.equal([
      { start: DAY, allowed: 40, refused: 3, billable: 10, free: 30 },
      { start: DAY + 5 * HOUR_MS, allowed: 5, refused: 0, billable: 5, free: 0 },
      { start: DAY + DAY_MS, allowed: 7, refused: 0, billable: 0, free: 7 },
    ]);
  });

  it('by day has one for each UTC day', async () => {
    const { series } = await reportsOn(buckets).reports.report(filter({ interval: 'day' }));
    expect(series.map(({ start, allowed }) => [start, allowed])).to.deep.equal([
      [DAY, 45],
      [DAY + DAY_MS, 7],
    ]);
  });

  it('names every key by its environment, the most used first', async () => {
    const { byKey } = await reportsOn(buckets).reports.report(filter());
    expect(byKey).to.deep.equal([
      { keyId: 'key_b', environment: 'test', allowed: 30, refused: 1 },
      { keyId: 'key_a', environment: 'live', allowed: 15, refused: 2 },
      { keyId: 'key_a', environment: 'gone', allowed: 7, refused: 0 },
    ]);
  });

  it('counts whole hours, and asks the store for no more than was asked of it', async () => {
    const { reports, asked } = reportsOn(buckets);
    await reports.report(filter({ keyId: 'key_a', environment: 'live', from: DAY + 1, to: DAY + HOUR_MS + 1 }));
    expect(asked).to.deep.equal([
      { ownerId: 'acc_ada', keyId: 'key_a', environment: 'live', from: DAY, to: DAY + 2 * HOUR_MS },
    ]);
    await reports.report(filter({ to: DAY + HOUR_MS }));
    expect(asked[1]).to.deep.include({ from: DAY, to: DAY + HOUR_MS });
  });

  it('is empty where nothing was used', async () => {
    expect(await reportsOn([]).reports.report(filter())).to.deep.equal({
      totals: { allowed: 0, refused: 0, billable: 0, free: 0 },
      series: [],
      byKey: [],
    });
  });

  it('spans at most 92 days by hour and 1100 by day', async () => {
    for (const [interval, days] of [
      ['hour', 92],
      ['day', 1100],
    ] as const) {
      expect(await problemOf({ interval, to: DAY + days * DAY_MS + 1 })).to.equal('from');
      await reportsOn([]).reports.report(filter({ interval, to: DAY + days * DAY_MS }));
    }
  });

  it('names the time that is wrong', async () => {
    expect(await problemOf({ to: DAY })).to.equal('to');
    expect(await problemOf({ to: DAY - 1 })).to.equal('to');
    expect(await problemOf({ from: Number.NaN })).to.equal('from');
    expect(await problemOf({ from: -1, to: Number.POSITIVE_INFINITY })).to.equal('from,to');
    expect(await problemOf({ from: DAY + 0.5 })).to.equal('from');
  });
});
