import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { away, recorderAt, sumOf, T } from './usage-ledger.ts';

const HOUR_MS = 3_600_000;

describe('usage counting', () => {
  it('keeps every key, environment and hour apart', async () => {
    const { usage, record, ledger, pass } = recorderAt();
    const hour = T - (T % HOUR_MS);
    record('key_a');
    record('key_a', { outcome: 'refused' });
    record('key_a', { environment: 'test' });
    record('key_b', { ownerId: 'acc_eve' });
    pass(HOUR_MS);
    record('key_a');
    record('key_a');
    await usage.flush();
    const base = { keyId: 'key_a', ownerId: 'acc_ada', environment: 'live', hour, allowed: 1, refused: 0 };
    expect([...ledger.buckets.values()]).to.have.deep.members([
      { ...base, refused: 1 },
      { ...base, environment: 'test' },
      { ...base, keyId: 'key_b', ownerId: 'acc_eve' },
      { ...base, hour: hour + HOUR_MS, allowed: 2 },
    ]);
  });

  it('counts 10,000 uses exactly, in two writes', async () => {
    const { usage, record, ledger } = recorderAt();
    for (let i = 0; i < 10_000; i += 1) record(`key_${i % 10}`, { outcome: i % 4 === 0 ? 'refused' : 'allowed' });
    expect(ledger.calls).to.have.length(0);
    await usage.flush();
    record('key_1');
    await usage.stop();
    expect(ledger.calls).to.have.length(2);
    expect(sumOf(ledger.buckets.values())).to.deep.equal({ allowed: 7501, refused: 2500 });
  });

  it('writes nothing when nothing was used', async () => {
    const { usage, ledger } = recorderAt();
    await usage.flush();
    await usage.stop();
    expect(ledger.calls).to.deep.equal([]);
  });

  it('gives the store at most 500 at once', async () => {
    const { usage, record, ledger } = recorderAt();
    for (let i = 0; i < 1201; i += 1) record(`key_${i}`);
    await usage.flush();
    expect(ledger.calls.map(({ buckets, uses }) => [buckets, uses.length])).to.deep.equal([
      [500, 500],
      [500, 500],
      [201, 201],
    ]);
  });

  it('tells the last use of a key once a minute: the first in the minute', async () => {
    const { usage, record, uses, pass } = recorderAt(T - (T % 60_000));
    for (let second = 0; second < 130; second += 1) {
      record('key_a');
      if (second % 5 === 4) await usage.flush();
      pass(1000);
    }
    const start = T - (T % 60_000);
    expect(uses().map(({ lastUsedAt }) => lastUsedAt - start)).to.deep.equal([0, 60_000, 120_000]);
  });

  it('tells it again when it could not be written', async () => {
    const { usage, record, uses, ledger } = recorderAt();
    record('key_a');
    ledger.before = away;
    await usage.flush().catch(() => undefined);
    ledger.before = () => Promise.resolve();
    record('key_a');
    await usage.flush();
    expect(uses()).to.deep.equal([{ keyId: 'key_a', lastUsedAt: T, previousUses: 0, previousUsedAt: null }]);
  });

  it('counts every use of the secret before a rotation, and says when the last was', async () => {
    const { usage, record, uses, ledger, pass } = recorderAt();
    record('key_a', { oldSecret: true });
    record('key_a');
    await usage.flush();
    for (let i = 0; i < 3; i += 1) {
      pass(10);
      record('key_a', { oldSecret: true });
      ledger.before = away;
      await usage.flush().catch(() => undefined);
    }
    ledger.before = () => Promise.resolve();
    await usage.flush();
    expect(uses()).to.deep.equal([
      { keyId: 'key_a', lastUsedAt: T, previousUses: 1, previousUsedAt: T },
      { keyId: 'key_a', lastUsedAt: T, previousUses: 3, previousUsedAt: T + 30 },
    ]);
  });
});

describe('a flush of usage', () => {
  it('that fails throws, keeps what was not written, and writes nothing twice', async () => {
    const { usage, record, ledger } = recorderAt();
    for (let i = 0; i < 1201; i += 1) record(`key_${i}`);
    let calls = 0;
    ledger.before = async () => {
      calls += 1;
      if (calls === 2) await away();
    };
    const failure: unknown = await usage.flush().catch((err: unknown) => err);
    expect(failure).to.be.an('error').with.property('code', 'temporarily_unavailable');
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(500);
    record('key_1200');
    await usage.flush();
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(1202);
    expect(ledger.calls.map(({ buckets }) => buckets)).to.deep.equal([500, 500, 201]);
  });

  it('takes its turn: 50 at once write one after the other, and each tells of what came before it', async () => {
    const { usage, record, ledger } = recorderAt();
    ledger.before = () => sleep(1);
    const flushes = Array.from({ length: 50 }, async (_, i) => {
      await sleep(i % 7);
      record('key_a');
      const recorded = i;
      await usage.flush();
      return recorded;
    });
    await Promise.all(flushes);
    expect(ledger.mostAtOnce).to.equal(1);
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(50);
  });

  it('asked for while one runs writes what was counted up to then', async () => {
    const { usage, record, ledger } = recorderAt();
    const release = Promise.withResolvers<void>();
    ledger.before = () => release.promise;
    record('key_a');
    const first = usage.flush();
    record('key_b');
    const second = usage.flush();
    release.resolve();
    await second;
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(2);
    await first;
  });

  it('asked for while one runs that fails writes all the same', async () => {
    const { usage, record, ledger } = recorderAt();
    const release = Promise.withResolvers<void>();
    ledger.before = () => release.promise;
    record('key_a');
    const first = usage.flush().catch((err: Error) => err.name);
    const second = usage.flush();
    release.reject(new RangeError('broken'));
    ledger.before = () => Promise.resolve();
    expect(await first).to.equal('RangeError');
    await second;
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(1);
  });

  it('comes by itself once started, and its failure is told', async () => {
    const { usage, record, ledger, errors } = recorderAt(T, { flushMs: 5 });
    usage.start();
    ledger.before = away;
    record('key_a');
    while (errors.length === 0) await sleep(1);
    ledger.before = () => Promise.resolve();
    while (ledger.calls.length === 0) await sleep(1);
    await usage.stop();
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(1);
  });

  it('at the end is tried three times, and the end comes whatever became of it', async () => {
    const { usage, record, ledger, errors } = recorderAt();
    let tries = 0;
    record('key_a');
    ledger.before = async () => {
      tries += 1;
      if (tries < 3) await away();
    };
    await usage.stop();
    expect([tries, errors.length, sumOf(ledger.buckets.values()).allowed]).to.deep.equal([3, 0, 1]);
    record('key_a');
    tries = 0;
    ledger.before = async () => {
      tries += 1;
      await away();
    };
    await usage.stop();
    expect([tries, errors.length]).to.deep.equal([3, 1]);
  });
});

describe('the memory of usage counting', () => {
  it('is flushed early when half of it is full, the use that filled it included', async () => {
    const { usage, record, ledger } = recorderAt(T, { maxBuckets: 10 });
    for (let i = 0; i < 5; i += 1) record(`key_${i}`);
    await sleep(1);
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(5);
    await usage.stop();
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(5);
  });

  it('holds no more buckets than allowed: known keys count on, and what was not counted is told', async () => {
    const { usage, record, ledger, errors } = recorderAt(T, { maxBuckets: 10 });
    ledger.before = away;
    for (let i = 0; i < 25; i += 1) record(`key_${i}`);
    record('key_0');
    await sleep(1);
    for (let i = 0; i < 25; i += 1) record(`key_${i}`);
    ledger.before = () => Promise.resolve();
    await usage.flush();
    expect(ledger.buckets.size).to.equal(10);
    expect(sumOf(ledger.buckets.values()).allowed).to.equal(21);
    const told = errors.flatMap((err) => /(\d+) uses of API keys were not counted/.exec(String(err))?.[1] ?? []);
    expect(told.map(Number).reduce((a, b) => a + b, 0)).to.equal(30);
  });

  it('counts what is being written as full, until it is', async () => {
    const { usage, record, ledger } = recorderAt(T, { maxBuckets: 10 });
    const release = Promise.withResolvers<void>();
    ledger.before = () => release.promise;
    for (let i = 0; i < 4; i += 1) record(`key_${i}`);
    const first = usage.flush();
    for (let i = 4; i < 25; i += 1) record(`key_${i}`);
    release.resolve();
    await first;
    await usage.flush();
    expect(ledger.buckets.size).to.equal(10);
    record('key_24');
    await usage.flush();
    expect(ledger.buckets.size).to.equal(11);
  });
});
