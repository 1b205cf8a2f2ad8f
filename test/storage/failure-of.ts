import { expect } from 'chai';
import { StoreUnavailableError } from '../../src/kit/errors.ts';

/** What the promise rejects with; a promise that fulfils fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).to.be.instanceOf(Error);
  return failure as Error;
}

export async function expectUnavailable(promise: Promise<unknown>, store: 'database' | 'redis'): Promise<void> {
  const failure = await failureOf(promise);
  expect(failure).to.be.instanceOf(StoreUnavailableError);
  expect((failure as StoreUnavailableError).internal).to.equal(`${store} is not available`);
}

/** Tries until it works, at most this long; returns how long it took. */
export async function recoveryMs(limitMs: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (;;) {
    try {
      await work();
      return performance.now() - start;
    } catch (error) {
      if (performance.now() - start > limitMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
