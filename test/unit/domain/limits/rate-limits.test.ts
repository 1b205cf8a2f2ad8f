import { expect } from 'chai';
import type { LimitRule, LimitSubject } from '../../../../src/domain/limits/limit-rule.ts';
import { createRateLimits } from '../../../../src/domain/limits/rate-limits.ts';
import { createMemoryRateLimitStore } from '../../../../src/storage/memory/memory-rate-limit-store.ts';
import { countdown, digester, KEY, limitsOf, STRANGER, TOKEN } from './rate-limit-worlds.ts';

const API_KEYS: LimitRule = { name: 'api-keys', per: 'key', method: 'api_key', quota: 3, windowSeconds: 3600 };
const OAUTH: LimitRule = { name: 'oauth', per: 'subject', method: 'access_token', quota: 5, windowSeconds: 3600 };

/** How many of ten requests of each pass, in turns. */
async function passing(rules: readonly LimitRule[], ...subjects: LimitSubject[]): Promise<number[]> {
  const { limits } = limitsOf(rules);
  const passed = subjects.map(() => 0);
  for (let round = 0; round < 10; round += 1) {
    for (const [index, subject] of subjects.entries()) {
      if ((await limits.take(subject)).allowed) passed[index] = (passed[index] ?? 0) + 1;
    }
  }
  return passed;
}

describe('a rate limit', () => {
  it('is for the requests that meet every condition of its rule', async () => {
    const { limits } = limitsOf([
      { ...API_KEYS, environment: 'live' },
      OAUTH,
      { ...OAUTH, name: 'app', clientId: 'cli_x' },
    ]);
    const names = async (subject: LimitSubject) => (await limits.take(subject)).states.map(({ name }) => name);
    expect(await names(KEY)).to.deep.equal(['api-keys']);
    expect(await names({ ...KEY, environment: 'test' })).to.deep.equal([]);
    expect(await names(TOKEN)).to.deep.equal(['oauth']);
    expect(await names({ ...TOKEN, clientId: 'cli_x' })).to.have.members(['oauth', 'app']);
    expect(await names(STRANGER)).to.deep.equal([]);
  });

  it('costs no store call where no rule applies, and says so beforehand', async () => {
    const { limits, calls, fallbackCalls } = limitsOf([API_KEYS]);
    expect(await limits.take(TOKEN)).to.deep.equal({ allowed: true, states: [], retryAfterSeconds: 0 });
    expect([...calls, ...fallbackCalls]).to.deep.equal([]);
    expect(limits.applies(TOKEN)).to.equal(false);
    expect(limits.applies(KEY)).to.equal(true);
    expect(limits.applies({ ...TOKEN, limit: { quota: 1, windowSeconds: 1 } })).to.equal(true);
  });

  it('per key counts every key apart, and others by subject or address', async () => {
    const rule: LimitRule = { name: 'all', per: 'key', quota: 3, windowSeconds: 60 };
    expect(await passing([rule], KEY, { ...KEY, keyId: 'key_two' })).to.deep.equal([3, 3]);
    expect(await passing([rule], TOKEN, { ...TOKEN, subject: 'acc_eve' })).to.deep.equal([3, 3]);
    expect(await passing([rule], STRANGER, { ...STRANGER, addressGroup: '192.0.2.8' })).to.deep.equal([3, 3]);
  });

  it('per subject is shared by all keys and tokens of an account', async () => {
    const rule: LimitRule = { name: 'all', per: 'subject', quota: 3, windowSeconds: 60 };
    expect(await passing([rule], KEY, { ...KEY, keyId: 'key_two' }, TOKEN)).to.deep.equal([1, 1, 1]);
  });

  it('per client is shared by all who use the client, and skipped where there is none', async () => {
    const rule: LimitRule = { name: 'all', per: 'client', quota: 4, windowSeconds: 60 };
    expect(await passing([rule], TOKEN, { ...TOKEN, subject: 'acc_eve' }, KEY)).to.deep.equal([2, 2, 10]);
  });

  it('per address is shared by all who come from there', async () => {
    const rule: LimitRule = { name: 'all', per: 'address', quota: 4, windowSeconds: 60 };
    expect(await passing([rule], KEY, TOKEN, { ...KEY, addressGroup: '2001:db8:0:0::/64' })).to.deep.equal([2, 2, 4]);
  });

  it('never takes an account for the address of the same text', async () => {
    const rule: LimitRule = { name: 'all', per: 'key', quota: 3, windowSeconds: 60 };
    expect(await passing([rule], STRANGER, { ...TOKEN, subject: STRANGER.addressGroup })).to.deep.equal([3, 3]);
  });

  it("of the key itself comes on top of the rules, under the name 'key'", async () => {
    const limited = { ...KEY, limit: { quota: 2, windowSeconds: 60 } };
    expect(await passing([API_KEYS], limited)).to.deep.equal([2]);
    const { limits } = limitsOf([API_KEYS]);
    expect((await limits.take(limited)).states.map(({ name }) => name)).to.deep.equal(['key', 'api-keys']);
  });

  it('that was changed counts afresh from the next request on', async () => {
    const { limits } = limitsOf([]);
    const withLimit = (quota: number, windowSeconds: number) => ({ ...KEY, limit: { quota, windowSeconds } });
    for (let i = 0; i < 2; i += 1) await limits.take(withLimit(2, 60));
    expect((await limits.take(withLimit(2, 60))).allowed).to.equal(false);
    expect((await limits.take(withLimit(3, 60))).states[0]?.remaining).to.equal(2);
    expect((await limits.take(withLimit(2, 61))).states[0]?.remaining).to.equal(1);
  });

  it('lets exactly its quota pass of 200 requests at once, then one whenever its share of the window is over', async () => {
    let nowMs = 12_345.678;
    const store = createMemoryRateLimitStore({ max: 100, nowMs: () => nowMs });
    const { limits } = limitsOf([{ ...API_KEYS, quota: 100 }], { store });
    const passing = async () => {
      const decisions = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
      return decisions.filter(({ allowed }) => allowed).length;
    };
    expect(await passing()).to.equal(100);
    expect(await limits.take(KEY)).to.deep.include({ allowed: false, retryAfterSeconds: 36 });
    nowMs += 36_000;
    expect(await passing()).to.equal(1);
    nowMs += 3_600_000;
    expect(await passing()).to.equal(100);
  });

  it('of an endpoint counts whom the endpoint names, apart from the rules', async () => {
    const { limits } = limitsOf([{ name: 'sign-up', per: 'address', quota: 2, windowSeconds: 60 }]);
    const rule: LimitRule = { name: 'sign-up', per: 'address', quota: 2, windowSeconds: 60 };
    await limits.take(STRANGER);
    const allowed = async (who: string) => (await limits.takeFrom(rule, who)).allowed;
    expect([await allowed('192.0.2.7'), await allowed('192.0.2.7')]).to.deep.equal([true, true]);
    expect(await allowed('192.0.2.7')).to.equal(false);
    expect(await allowed('192.0.2.8')).to.equal(true);
  });

  it('is refused at start when its rule has a name or quota that means nothing', () => {
    const start =
      (rules: LimitRule[], processes = 1) =>
      () =>
        createRateLimits({ rules, processes, store: countdown().store, fallback: countdown().store, digester });
    expect(start([API_KEYS, API_KEYS])).to.throw(RangeError, 'taken');
    expect(start([{ ...API_KEYS, name: 'key' }])).to.throw(RangeError, 'taken');
    expect(start([{ ...API_KEYS, name: 'a"b' }])).to.throw(RangeError, 'a-z');
    for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(start([{ ...API_KEYS, quota: wrong }])).to.throw(RangeError, 'quota');
      expect(start([{ ...API_KEYS, windowSeconds: wrong }])).to.throw(RangeError, 'windowSeconds');
      expect(start([API_KEYS], wrong)).to.throw(RangeError, 'process');
    }
  });
});

describe('a limit decision', () => {
  const byTwo: LimitRule[] = [
    { name: 'wide', per: 'key', quota: 1000, windowSeconds: 3600 },
    { name: 'narrow', per: 'key', quota: 2, windowSeconds: 10 },
    { name: 'also-narrow', per: 'subject', quota: 2, windowSeconds: 30 },
  ];

  it('names the limit with the least of its quota left first, then the one that recovers last', async () => {
    const { limits } = limitsOf(byTwo);
    const { states } = await limits.take(KEY);
    expect(states.map(({ name }) => name)).to.deep.equal(['also-narrow', 'narrow', 'wide']);
  });

  it('names the refusing limits first and waits for the slowest of them', async () => {
    const { limits } = limitsOf(byTwo);
    await limits.take(KEY);
    await limits.take({ ...KEY, keyId: 'key_two' });
    const decision = await limits.take(KEY);
    expect(decision.allowed).to.equal(false);
    expect(decision.states.map(({ name, allowed }) => [name, allowed])).to.deep.equal([
      ['also-narrow', false],
      ['narrow', true],
      ['wide', true],
    ]);
    expect(decision.retryAfterSeconds).to.equal(30);
  });

  it('names the refusing limit first, even before one that has just given its last', async () => {
    const { limits } = limitsOf([
      { name: 'own', per: 'subject', quota: 1, windowSeconds: 3600 },
      { name: 'house', per: 'address', quota: 1, windowSeconds: 10 },
    ]);
    await limits.take({ ...TOKEN, subject: 'acc_eve' });
    const { states, retryAfterSeconds } = await limits.take(TOKEN);
    expect(states.map(({ name, allowed, remaining }) => [name, allowed, remaining])).to.deep.equal([
      ['house', false, 0],
      ['own', true, 0],
    ]);
    expect(retryAfterSeconds).to.equal(10);
  });

  it('takes from no counter when one refuses', async () => {
    const { limits } = limitsOf(byTwo);
    for (let i = 0; i < 20; i += 1) await limits.take(KEY);
    const wide = (await limits.take(KEY)).states.find(({ name }) => name === 'wide');
    expect(wide?.remaining).to.equal(998);
  });

  it("asks the caller's own counters first, so that whoever is refused spends nothing of what others share", async () => {
    const shared: LimitRule[] = [
      { name: 'house', per: 'address', quota: 10, windowSeconds: 60 },
      { name: 'app', per: 'client', quota: 10, windowSeconds: 60 },
      { name: 'own', per: 'subject', quota: 2, windowSeconds: 60 },
    ];
    const { limits } = limitsOf(shared);
    for (let i = 0; i < 50; i += 1) await limits.take(TOKEN);
    const { states } = await limits.take({ ...TOKEN, subject: 'acc_eve' });
    expect(states.map(({ name, remaining }) => [name, remaining])).to.deep.equal([
      ['own', 1],
      ['house', 7],
      ['app', 7],
    ]);
  });

  it('makes a refused caller wait at least a second', async () => {
    const store = countdown().store;
    const impatient = {
      ...store,
      take: async (...given: Parameters<typeof store.take>) =>
        (await store.take(...given)).map((state) => ({ ...state, resetSeconds: 0 })),
    };
    const { limits } = limitsOf([{ ...API_KEYS, quota: 1 }], { store: impatient });
    expect((await limits.take(KEY)).retryAfterSeconds).to.equal(0);
    expect((await limits.take(KEY)).retryAfterSeconds).to.equal(1);
  });
});

describe('what a limit store is told', () => {
  it('is one owner for the key and its account, and one more for each who shares a counter with others', async () => {
    const { limits, calls } = limitsOf([API_KEYS, { name: 'own', per: 'subject', quota: 9, windowSeconds: 60 }, OAUTH]);
    await limits.take({ ...KEY, limit: { quota: 5, windowSeconds: 60 } });
    await limits.take(TOKEN);
    expect(calls.map(({ counters }) => counters.map(({ name }) => name))).to.deep.equal([
      ['key', 'api-keys', 'own'],
      ['own', 'oauth'],
    ]);
    expect(calls[1]?.owner).to.equal(calls[0]?.owner);
  });

  it('gives a counter one owner, whoever takes from it', async () => {
    const { limits, calls } = limitsOf([
      { name: 'app', per: 'client', quota: 9, windowSeconds: 60 },
      { name: 'house', per: 'address', quota: 9, windowSeconds: 60 },
    ]);
    for (const subject of ['acc_ada', 'acc_eve', 'cli_app', null]) await limits.take({ ...TOKEN, subject });
    const owners = new Map<string, Set<string>>();
    for (const { owner, counters } of calls) {
      for (const { id } of counters) owners.set(id, (owners.get(id) ?? new Set()).add(owner));
    }
    expect(owners.size).to.equal(2);
    for (const known of owners.values()) expect(known.size).to.equal(1);
  });

  it('holds neither identifiers nor addresses', async () => {
    const rules = (['key', 'subject', 'client', 'address'] as const).map(
      (per): LimitRule => ({ name: `per-${per}`, per, quota: 9, windowSeconds: 60 }),
    );
    const { limits, calls } = limitsOf(rules);
    await limits.take({ ...TOKEN, keyId: 'key_one', limit: { quota: 9, windowSeconds: 1 } });
    await limits.take(STRANGER);
    await limits.takeFrom({ name: 'sign-up', per: 'address', quota: 1, windowSeconds: 1 }, '192.0.2.7');
    const told = calls.flatMap(({ owner, counters }) => [owner, ...counters.map(({ id }) => id)]);
    expect(told).to.have.length.above(8);
    for (const text of told) expect(text).to.match(/^[A-Za-z0-9_-]{43}$/);
  });
});
