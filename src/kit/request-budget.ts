import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicMs } from './clock.ts';
import { AppError } from './errors.ts';

/**
 * The time that one request has for all it asks of the stores. Each statement has a limit of its own; many slow ones could still keep a
 * caller waiting who has long given up. The time runs from the first statement, so that a slow body costs none of it. What has begun
 * comes to its end; nothing begins after the time, so no write starts of which the caller is told that it failed.
 */
interface Budget {
  ms: number;
  endsAtMs: number | null;
}

const budgets = new AsyncLocalStorage<Budget | null>();

/** Runs the work of one request. */
export const withinBudget = <T>(ms: number, work: () => T): T => budgets.run({ ms, endsAtMs: null }, work);

/** For what must be done however late it is: taking back what a refused request has counted or reserved. */
export const outsideBudget = <T>(work: () => T): T => budgets.run(null, work);

/**
 * Before anything is asked of a store. Throws temporarily_unavailable when the time of the request is over; not as a store that is
 * away, since others have time left.
 */
export function requireTime(): void {
  const budget = budgets.getStore();
  if (!budget) return;
  const nowMs = monotonicMs();
  budget.endsAtMs ??= nowMs + budget.ms;
  if (nowMs < budget.endsAtMs) return;
  throw new AppError('temporarily_unavailable', {
    public: 'The server was too slow for this request.',
    internal: 'the request has used up its time',
    retryAfterSeconds: 2,
  });
}
