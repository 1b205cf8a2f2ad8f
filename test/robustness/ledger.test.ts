import { expect } from 'chai';
import { createLedger } from './ledger.ts';
import { createRandom } from './random.ts';

const OK = { kind: 'answer', status: 200, retryAfter: false } as const;

describe('the ledger of the robustness suite', () => {
  it('has no request that is still under way, and all that ended, in order', () => {
    const ledger = createLedger();
    const [first, , third] = [ledger.begin('one', 'a'), ledger.begin('two', 'b'), ledger.begin('three', 'a')];
    ledger.end(third, OK);
    ledger.end(first, { kind: 'lost', why: 'ECONNRESET' });
    expect(ledger.history().calls.map(({ operation }) => operation)).to.deep.equal(['one', 'three']);
    for (const { startedMs, endedMs } of ledger.history().calls) expect(endedMs).to.be.at.least(startedMs);
  });

  it('tells of the moment in which a request begins or succeeds, and of no other', async () => {
    const ledger = createLedger();
    const asked = ledger.next('asked', ({ node }) => node === 'b', 1_000);
    const acknowledged = ledger.next('acknowledged', () => true, 1_000);
    ledger.end(ledger.begin('refused', 'a'), { ...OK, status: 400 });
    const wanted = ledger.begin('wanted', 'b');
    expect(await asked).to.equal(wanted);
    ledger.end(wanted, OK);
    expect(await acknowledged).to.equal(wanted);
    expect(await ledger.next('asked', () => true, 10)).to.equal(null);
  });

  it('gives each thing a name of its own', () => {
    const ledger = createLedger();
    expect([ledger.name('code'), ledger.name('code'), ledger.name('key')]).to.deep.equal(['code 1', 'code 2', 'key 1']);
  });
});

describe('chance from a seed', () => {
  const drawn = (seed: string): number[] => {
    const random = createRandom(seed);
    return Array.from({ length: 1_000 }, () => random.integer(1, 6));
  };

  it('is the same for the same seed, and covers its range', () => {
    expect(drawn('x')).to.deep.equal(drawn('x'));
    expect(drawn('x')).not.to.deep.equal(drawn('y'));
    const counts = Object.values(Object.groupBy(drawn('x'), String)).map((ones) => ones?.length ?? 0);
    expect(counts).to.have.length(6);
    expect(Math.min(...counts)).to.be.greaterThan(100);
  });

  it('shuffles without loss, and refuses to pick from nothing', () => {
    const random = createRandom('z');
    expect([...random.shuffled([1, 2, 3, 4])].sort()).to.deep.equal([1, 2, 3, 4]);
    expect(() => random.pick([])).to.throw('nothing to pick from');
  });
});
