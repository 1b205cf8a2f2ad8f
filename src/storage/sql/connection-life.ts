import { monotonicMs } from '../../kit/clock.ts';
import { isConnectionLost, isReadOnlyServer } from './failures.ts';
import { cut, type GuardedConnection } from './query-guard.ts';

/** A connection of the pool, as knex keeps it: one that is disposed of is closed when it is next asked for. */
export interface PooledConnection extends GuardedConnection {
  __knex__disposed?: unknown;
}

export interface ConnectionLife {
  /** Watches what the server answers on a new connection. */
  adopt(connection: PooledConnection): void;
  /** Before each use: false when the connection is of no use any more, and another must be opened. */
  isUsable(connection: PooledConnection): Promise<boolean>;
}

/** After this long without use a connection is asked whether it is still there: an idle one may end without a word. */
const ASK_AFTER_MS = 1000;
/** How long it may take to say so. */
const ANSWER_MS = 500;
/** As often as all connections are given up: a server that stays read-only must not be flooded with new ones. */
const RENEW_EVERY_MS = 1000;

/**
 * Which connections of one pool are of use. After a failover the name leads to the new primary, while open connections lead to
 * the old one, which refuses every write: the first such refusal ends them all.
 */
export function createConnectionLife(): ConnectionLife {
  let generation = 0;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  const known = new WeakMap<PooledConnection, { generation: number; usedAtMs: number }>();

  function renew(): void {
    if (monotonicMs() - renewedAtMs < RENEW_EVERY_MS) return;
    renewedAtMs = monotonicMs();
    generation += 1;
  }

  const answers = (connection: PooledConnection): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        cut(connection, 'an idle connection did not answer');
        resolve(false);
      }, ANSWER_MS);
      connection.query('select 1', (error) => {
        clearTimeout(timer);
        resolve(!error);
      });
    });

  return {
    adopt(connection) {
      const state = { generation, usedAtMs: monotonicMs() };
      known.set(connection, state);
      const query = connection.query.bind(connection);
      connection.query = (...args) => {
        const done = args.pop() as (error: Error | null, ...result: unknown[]) => void;
        return query(...args, (error: Error | null, ...result: unknown[]) => {
          state.usedAtMs = monotonicMs();
          if (error && isReadOnlyServer(error)) renew();
          if (error && isConnectionLost(error)) connection.__knex__disposed ??= 'the connection was lost';
          done(error, ...result);
        });
      };
    },

    async isUsable(connection) {
      const state = known.get(connection);
      if (!state || state.generation !== generation) return false;
      return monotonicMs() - state.usedAtMs < ASK_AFTER_MS || answers(connection);
    },
  };
}
