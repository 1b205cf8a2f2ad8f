import { expect } from 'chai';
import fc from 'fast-check';
import { dueSteps, type RotationSchedule } from '../../../../src/domain/signing-keys/rotation.ts';
import type { SigningAlgorithm, SigningKey, SigningKeyState } from '../../../../src/domain/signing-keys/signing-key.ts';

const DAY = 86_400;
const SCHEDULE: RotationSchedule = { activeSeconds: 90 * DAY, publishedSeconds: 14 * DAY, retiredSeconds: 14 * DAY };
const NOW = 1_800_000_000_000;

let counter = 0;
function key(state: SigningKeyState, ageDays: number, algorithm: SigningAlgorithm = 'ES256'): SigningKey {
  counter += 1;
  const since = NOW - ageDays * DAY * 1000;
  return {
    kid: `${algorithm}-${state}-${counter}`,
    algorithm,
    state,
    publicJwk: '{}',
    sealedPrivateJwk: '',
    createdAt: since,
    stateSince: since,
  };
}

/** The steps for ES256; RS256 always has what it needs. */
function stepsFor(keys: SigningKey[]): string[] {
  const others = [key('active', 1, 'RS256'), key('published', 1, 'RS256')];
  return dueSteps([...keys, ...others], SCHEDULE, NOW).map((step) =>
    step.do === 'create'
      ? `create ${step.algorithm} ${step.state}`
      : step.do === 'activate'
        ? `activate ${step.kid}, retire ${step.retire}`
        : `${step.do} ${step.kid}`,
  );
}

describe('the rotation of signing keys', () => {
  it('begins an empty ring with a key that signs and one that waits, for every algorithm', () => {
    expect(dueSteps([], SCHEDULE, NOW)).to.deep.equal([
      { do: 'create', algorithm: 'RS256', state: 'active' },
      { do: 'create', algorithm: 'RS256', state: 'published' },
      { do: 'create', algorithm: 'ES256', state: 'active' },
      { do: 'create', algorithm: 'ES256', state: 'published' },
    ]);
  });

  it('has nothing to do while the active key is young', () => {
    expect(stepsFor([key('active', 0), key('published', 0)])).to.deep.equal([]);
    expect(stepsFor([key('active', 89.9), key('published', 89)])).to.deep.equal([]);
  });

  it('publishes a successor in advance', () => {
    expect(stepsFor([key('active', 10)])).to.deep.equal(['create ES256 published']);
  });

  it('swaps when both are old enough, and not before', () => {
    const [active, next] = [key('active', 90), key('published', 14)];
    expect(stepsFor([active, next])).to.deep.equal([`activate ${next.kid}, retire ${active.kid}`]);
    expect(stepsFor([key('active', 200), key('published', 13.9)])).to.deep.equal([]);
    expect(stepsFor([key('active', 89.9), key('published', 200)])).to.deep.equal([]);
  });

  it('keeps a retired key until nothing it signed can still be valid', () => {
    const [active, next] = [key('active', 1), key('published', 1)];
    const [young, old, older] = [key('retired', 13.9), key('retired', 14), key('retired', 40)];
    expect(stepsFor([active, next, young, old, older])).to.deep.equal([`remove ${old.kid}`, `remove ${older.kid}`]);
  });

  it('replaces an active key that is missing, whatever else there is', () => {
    expect(stepsFor([key('published', 20)])).to.deep.equal(['create ES256 active']);
    expect(stepsFor([key('retired', 1)])).to.deep.equal(['create ES256 active', 'create ES256 published']);
  });

  it('counts a key from now on whose state began, by a clock that was ahead, at a time that has not come', () => {
    const keys = [key('active', -365), key('published', -365), key('retired', -365)];
    expect(stepsFor(keys)).to.deep.equal(keys.map(({ kid }) => `redate ${kid}`));
    expect(stepsFor([key('active', -4 / DAY), key('published', 0)]), 'clocks a little apart').to.deep.equal([]);
  });

  it('treats the algorithms apart', () => {
    const es = [key('active', 90), key('published', 14)];
    const steps = dueSteps([...es, key('active', 1, 'RS256'), key('published', 1, 'RS256')], SCHEDULE, NOW);
    expect(steps).to.have.length(1);
    expect(dueSteps(es, SCHEDULE, NOW).map((step) => step.do)).to.have.members(['create', 'create', 'activate']);
  });

  it('never removes or retires a key without another that signs, whatever the ring looks like', () => {
    const anyKey = fc.record({
      state: fc.constantFrom<SigningKeyState>('published', 'active', 'retired'),
      age: fc.integer({ min: 0, max: 400 }),
      algorithm: fc.constantFrom<SigningAlgorithm>('RS256', 'ES256'),
    });
    fc.assert(
      fc.property(fc.array(anyKey, { maxLength: 8 }), (given) => {
        const keys = given.map(({ state, age, algorithm }) => key(state, age, algorithm));
        const states = new Map(keys.map(({ kid, state }) => [kid, state]));
        for (const step of dueSteps(keys, SCHEDULE, NOW)) {
          if (step.do === 'remove') expect(states.get(step.kid)).to.equal('retired');
          if (step.do === 'activate') {
            expect(states.get(step.kid)).to.equal('published');
            expect(states.get(step.retire)).to.equal('active');
          }
        }
        for (const algorithm of ['RS256', 'ES256'] as const) {
          const signs = keys.some((one) => one.algorithm === algorithm && one.state === 'active');
          const creates = dueSteps(keys, SCHEDULE, NOW).some(
            (step) => step.do === 'create' && step.algorithm === algorithm && step.state === 'active',
          );
          expect(creates).to.equal(!signs);
        }
      }),
    );
  });

  it('comes to rest: doing what is due leaves nothing due', () => {
    let keys: SigningKey[] = [key('active', 300), key('published', 300), key('retired', 300), key('retired', -300)];
    let rounds = 0;
    for (let due = dueSteps(keys, SCHEDULE, NOW); due.length > 0; due = dueSteps(keys, SCHEDULE, NOW)) {
      rounds += 1;
      expect(rounds).to.be.lessThan(5);
      for (const step of due) {
        if (step.do === 'create')
          keys.push({ ...key(step.state, 0, step.algorithm), kid: `new-${keys.length}-${rounds}` });
        else if (step.do === 'redate')
          keys = keys.map((one) => (one.kid === step.kid ? { ...one, stateSince: NOW } : one));
        else if (step.do === 'remove') keys = keys.filter(({ kid }) => kid !== step.kid);
        else
          keys = keys.map((one) =>
            one.kid === step.kid
              ? { ...one, state: 'active', stateSince: NOW }
              : one.kid === step.retire
                ? { ...one, state: 'retired', stateSince: NOW }
                : one,
          );
      }
    }
    expect(keys.filter(({ algorithm }) => algorithm === 'ES256').map(({ state }) => state)).to.have.members([
      'active',
      'published',
      'retired',
      'retired',
    ]);
  });
});
