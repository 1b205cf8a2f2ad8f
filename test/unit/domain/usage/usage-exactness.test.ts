import { expect } from 'chai';
import fc from 'fast-check';
import { away, recorderAt, sumOf } from './usage-ledger.ts';

type Step =
  | { kind: 'record'; key: number; outcome: 'allowed' | 'refused'; oldSecret: boolean }
  | { kind: 'flush' | 'turn' }
  /** Fails the calls whose number leaves one of these when halved. */
  | { kind: 'store'; fails: readonly number[]; slow: boolean }
  | { kind: 'pass'; milliseconds: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      key: fc.oneof(fc.nat(3), fc.nat(2000)),
      outcome: fc.constantFrom('allowed', 'refused'),
      oldSecret: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('flush', 'turn') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('store' as const), fails: fc.subarray([0, 1]), slow: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.nat(4_000_000) }),
  },
);

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the sum of usage', () => {
  it('is the sum of uses, after any interleaving of uses and flushes that fail, wait or overlap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 300, size: 'max' }), fc.nat(1500), async (steps, crowd) => {
        const { usage, record, ledger, errors, pass } = recorderAt();
        const expected = { allowed: crowd, refused: 0 };
        let oldSecrets = 0;
        const flushes: Promise<void>[] = [];
        // Enough keys for several transactions to a flush.
        for (let i = 0; i < crowd; i += 1) record(`key_${i}`);
        for (const step of steps) {
          if (step.kind === 'record') {
            const { key, outcome, oldSecret } = step;
            record(`key_${key}`, { outcome, oldSecret });
            expected[outcome] += 1;
            if (oldSecret) oldSecrets += 1;
          } else if (step.kind === 'store') {
            let calls = 0;
            ledger.before = async () => {
              calls += 1;
              if (step.slow) await turn();
              if (step.fails.includes(calls % 2)) await away();
            };
          } else if (step.kind === 'pass') pass(step.milliseconds);
          else if (step.kind === 'flush') flushes.push(usage.flush().catch(() => undefined));
          else await turn();
        }
        ledger.before = () => Promise.resolve();
        await Promise.all(flushes);
        await usage.stop();
        expect(sumOf(ledger.buckets.values())).to.deep.equal(expected);
        expect([...ledger.previousUses.values()].reduce((a, b) => a + b, 0)).to.equal(oldSecrets);
        expect(ledger.mostAtOnce).to.be.at.most(1);
        expect(errors).to.deep.equal([]);
      }),
      { numRuns: 150 },
    );
  });
});
