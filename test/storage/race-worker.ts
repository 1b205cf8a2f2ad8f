/** A process of its own for two-processes.test.ts: opens the storage it is told and runs its part of a race. */
import type { TokenKind } from '../../src/domain/tokens/token-record.ts';
import { countTrue, parallel } from '../conformance/parallel.ts';
import { even, growing } from '../conformance/throttle-counters.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { openStores } from './open-stores.ts';

export type Race = 'consume' | 'commit' | 'insert' | 'remove' | 'attempt' | 'take' | 'lease';

export interface Start {
  race: Race;
  kind: TokenKind;
  id: string;
  count: number;
}

export interface Outcome {
  /** How many of the calls won. */
  won: number;
  /** What `commit` would have inserted, in all its calls. */
  successors: { kind: TokenKind; id: string }[];
}

const [databaseUrl = '', redisUrl] = process.argv.slice(2);
const stores = await openStores({ databaseUrl, ...(redisUrl ? { redisUrl } : {}) });

async function run({ race, kind, id, count }: Start): Promise<Outcome> {
  const { tokens, throttle, rateLimits, leases } = stores;
  const successors = Array.from({ length: count * 2 }, (_, index) =>
    tokenRecord(index % 2 === 0 ? 'RefreshToken' : 'AccessToken'),
  );
  const calls: Record<Race, (index: number) => Promise<boolean>> = {
    consume: (index) => tokens.consume(kind, id, index + 1),
    commit: (index) =>
      tokens.commit({
        consume: { kind, id, atMs: index + 1, receipt: `${process.pid}` },
        inserts: successors.slice(index * 2, index * 2 + 2),
      }),
    insert: () => tokens.insert(tokenRecord(kind, { id })),
    remove: () => tokens.remove(kind, id),
    attempt: async () => {
      const counters = [growing(`${id} growing`), { ...even(`${id} even`), intervalMs: 60_000 }];
      const waits = await throttle.take([{ owner: id, counters }], 1_700_000_000_000);
      return waits.every((wait) => wait === 0);
    },
    take: async () => {
      const states = await rateLimits.take(id, [
        { name: 'narrow', id: `${id} narrow`, quota: 20, windowSeconds: 3600 },
        { name: 'wide', id: `${id} wide`, quota: 40, windowSeconds: 3600 },
      ]);
      return states.every(({ allowed }) => allowed);
    },
    lease: (index) => leases.acquire(id, `${process.pid} ${index}`, 1_700_000_000_000, 1000),
  };
  return {
    won: countTrue(await parallel(count, calls[race])),
    successors: successors.map((successor) => ({ kind: successor.kind, id: successor.id })),
  };
}

process.on('message', (start: Start) => {
  run(start).then(
    (outcome) => process.send?.(outcome),
    (error: Error) => process.send?.({ failed: error.stack }),
  );
});
process.once('disconnect', () => stores[Symbol.asyncDispose]());
process.send?.('ready');
