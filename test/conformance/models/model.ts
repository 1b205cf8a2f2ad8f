import { inspect, isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { newId } from '../../../src/kit/ids.ts';

/** Ids of one run, so that runs on one database do not meet. The same slot is the same id. */
export type Names = (slot: string | number) => string;

/** One call of a store, and what the model says to it. */
export interface Operation<Store, State> {
  text: string;
  call(store: Store, names: Names): Promise<unknown>;
  /** Changes the state and returns the answer that is expected. */
  model(state: State, names: Names): unknown;
  /** It works through several records, so others may come in between: never at the same moment as another one. */
  alone?: boolean;
}

/** What a store does, without a database: a state in memory and about twenty lines. */
export interface Model<Store, State> {
  start(): State;
  operations: fc.Arbitrary<Operation<Store, State>>;
  /** What has to be there before a run. */
  prepare?(store: Store, names: Names): Promise<void>;
}

/** Operations that start at the same moment, each on the connection of its place. */
type Step<Store, State> = readonly Operation<Store, State>[];

const RUNS = Number(process.env.GATEHOUSE_MODEL_RUNS ?? 25);
/** To see a failure again: the seed and the path that it printed. */
const AGAIN = {
  ...(process.env.GATEHOUSE_MODEL_SEED ? { seed: Number(process.env.GATEHOUSE_MODEL_SEED) } : {}),
  ...(process.env.GATEHOUSE_MODEL_PATH ? { path: process.env.GATEHOUSE_MODEL_PATH } : {}),
};

/**
 * Random operations, alone and up to three at once, on two connections. Alone each must be answered as the model does; those at once
 * as it does in some order (linearizability). A failure prints its seed, its path and the shortest sequence that shows it.
 */
export function modelSuite<Store, State>(
  name: string,
  model: Model<Store, State>,
  connections: () => readonly [Store, Store],
): void {
  it(`${name}: answers as its model does, on two connections and at once`, async function () {
    this.timeout(30_000 + RUNS * 6000);
    const runs = fc.asyncProperty(sequenceOf(model), async (steps) => {
      const prefix = newId('m');
      const names: Names = (slot) => `${prefix}_${slot}`;
      await model.prepare?.(connections()[0], names);
      let states = [model.start()];
      for (const [index, step] of steps.entries()) states = await take(step, index, connections(), states, names);
    });
    await fc.assert(runs, { numRuns: RUNS, ...AGAIN });
  });
}

function sequenceOf<Store, State>({ operations }: Model<Store, State>): fc.Arbitrary<Step<Store, State>[]> {
  const printed = (step: Step<Store, State>): Step<Store, State> =>
    Object.assign([...step], { [fc.toStringMethod]: () => step.map(({ text }) => text).join(' | ') });
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(operations) },
    { weight: 2, arbitrary: fc.array(operations, { minLength: 2, maxLength: 3 }) },
  );
  return fc.array(step.map(printed), { minLength: 1, maxLength: 30, size: 'max' });
}

/** Runs a step; the states in which the store may be now. Throws when its answers fit none. */
async function take<Store, State>(
  step: Step<Store, State>,
  index: number,
  connections: readonly [Store, Store],
  before: readonly State[],
  names: Names,
): Promise<State[]> {
  const on = (place: number): Store => connections[(index + place) % 2] as Store;
  if (step.some(({ alone }) => alone) && step.length > 1) {
    let states = [...before];
    for (const [place, operation] of step.entries()) {
      states = await take([operation], index + place, connections, states, names);
    }
    return states;
  }
  const answers = await Promise.all(step.map((operation, place) => operation.call(on(place), names)));
  const after: State[] = [];
  for (const state of before) {
    for (const order of ordersOf(step.map((_, place) => place))) {
      const next = structuredClone(state);
      const fits = order.every((place) => isDeepStrictEqual(step[place]?.model(next, names), answers[place]));
      if (fits && !after.some((known) => isDeepStrictEqual(known, next))) after.push(next);
    }
  }
  if (after.length === 0) throw new Error(explain(step, answers, before, names));
  return after;
}

function ordersOf(places: readonly number[]): number[][] {
  if (places.length < 2) return [[...places]];
  return places.flatMap((first) => ordersOf(places.filter((place) => place !== first)).map((rest) => [first, ...rest]));
}

function explain<Store, State>(
  step: Step<Store, State>,
  answers: readonly unknown[],
  before: readonly State[],
  names: Names,
): string {
  const lines = step.map(({ text, model }, place) => {
    const expected = before.map((state) => inspect(model(structuredClone(state), names), { depth: 6 }));
    const alone = [...new Set(expected)].join(' or ');
    return `${text}\n  answered ${inspect(answers[place], { depth: 6 })}\n  expected ${alone}${step.length > 1 ? ' (alone)' : ''}`;
  });
  return `${step.length > 1 ? 'in no order the model answers so:\n' : ''}${lines.join('\n')}`;
}

/** A few values, so that operations meet. */
export const slot = (count: number): fc.Arbitrary<number> => fc.nat(count - 1);
export const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
/** By their id, where the store promises no order. */
export const sorted = <T>(items: Iterable<T>): T[] => [...items].sort();
