import { expect } from 'chai';
import {
  IDEMPOTENT_LIFE_MS,
  type IdempotentRequest,
  type IdempotentRequestStore,
  type InsertOutcome,
} from '../../src/domain/idempotency/idempotent-request.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, parallel } from './parallel.ts';

const T = 1_700_000_000_000;

export const requestOf = (changes: Partial<IdempotentRequest> = {}): IdempotentRequest => ({
  id: newId('request'),
  fingerprint: newId('content'),
  sealedAnswer: `v1.${AWKWARD_TEXT}`,
  createdAt: T,
  expiresAt: T + 86_400_000,
  ...changes,
});

const kinds = (outcomes: readonly InsertOutcome[], kind: InsertOutcome['kind']): number =>
  outcomes.filter((outcome) => outcome.kind === kind).length;

interface Creation<R> {
  requests: IdempotentRequestStore;
  /** A record that was never inserted. */
  build(): R & { id: string };
  insert(record: R, request?: IdempotentRequest): Promise<InsertOutcome>;
  exists(record: R): Promise<boolean>;
}

/** What holds for every store that creates something for an idempotent request. */
export function idempotentInsertSuite<R>(open: () => Promise<Creation<R>>): void {
  describe('an insert for an idempotent request', () => {
    let store: Creation<R>;
    before(async () => {
      store = await open();
    });

    const created = async (records: readonly R[]): Promise<number> =>
      (await Promise.all(records.map(store.exists))).filter(Boolean).length;

    it('stores the request with the record, unchanged', async () => {
      const [record, request] = [store.build(), requestOf()];
      expect(await store.insert(record, request)).to.deep.equal({ kind: 'inserted' });
      expect(await store.exists(record)).to.equal(true);
      expect(await store.requests.find(request.id)).to.deep.equal(request);
      expect(await store.requests.find(newId('request'))).to.equal(null);
    });

    it('creates once for 50 at once, and tells the others what the first was told', async () => {
      const id = newId('request');
      const records = Array.from({ length: 50 }, () => store.build());
      const outcomes = await parallel(50, (index) =>
        store.insert(records[index] as R, requestOf({ id, sealedAnswer: `v1.${index}` })),
      );
      expect([kinds(outcomes, 'inserted'), kinds(outcomes, 'repeated')]).to.deep.equal([1, 49]);
      expect(await created(records)).to.equal(1);
      const winner = outcomes.findIndex(({ kind }) => kind === 'inserted');
      for (const outcome of outcomes) {
        if (outcome.kind === 'repeated') expect(outcome.first.sealedAnswer).to.equal(`v1.${winner}`);
      }
    });

    it('replaces a request that has expired, once for 50 at once', async () => {
      const old = requestOf({ expiresAt: T + 1000 });
      await store.insert(store.build(), old);
      const early = await store.insert(store.build(), requestOf({ id: old.id, createdAt: T + 999 }));
      expect(early).to.deep.equal({ kind: 'repeated', first: old });

      const records = Array.from({ length: 50 }, () => store.build());
      const outcomes = await parallel(50, (index) =>
        store.insert(records[index] as R, requestOf({ id: old.id, createdAt: T + 1000, sealedAnswer: `v1.${index}` })),
      );
      expect(kinds(outcomes, 'inserted')).to.equal(1);
      expect(await created(records)).to.equal(1);
      const winner = outcomes.findIndex(({ kind }) => kind === 'inserted');
      expect((await store.requests.find(old.id))?.sealedAnswer).to.equal(`v1.${winner}`);
    });

    it('stores no request when the record is taken, and no record for a repetition', async () => {
      const [record, request] = [store.build(), requestOf()];
      expect(await store.insert(record)).to.deep.equal({ kind: 'inserted' });
      expect(await store.insert(record, request)).to.deep.equal({ kind: 'taken' });
      expect(await store.insert(record)).to.deep.equal({ kind: 'taken' });
      expect(await store.requests.find(request.id)).to.equal(null);
      // So the request can be made again with another record.
      expect(await store.insert(store.build(), request)).to.deep.equal({ kind: 'inserted' });
      const third = store.build();
      expect(await store.insert(third, request)).to.deep.equal({ kind: 'repeated', first: request });
      expect(await store.exists(third)).to.equal(false);
    });

    it('that a clock set far ahead has written ends a day after now, and is known until then', async () => {
      const far = requestOf({ createdAt: T + 1e10, expiresAt: T + 1e10 + IDEMPOTENT_LIFE_MS });
      await store.insert(store.build(), far);
      await store.requests.purge(T, 100_000);
      expect((await store.requests.find(far.id))?.expiresAt).to.equal(T + IDEMPOTENT_LIFE_MS);
      await store.requests.purge(T + IDEMPOTENT_LIFE_MS + 1, 100_000);
      expect(await store.requests.find(far.id)).to.equal(null);
    });

    it('is forgotten by a purge after its end, oldest first, at most `limit`', async () => {
      await store.requests.purge(T, 100_000);
      const [first, second, live] = [1, 2, 3].map((ms) => requestOf({ createdAt: 0, expiresAt: ms }));
      for (const request of [live, second, first]) if (request) await store.insert(store.build(), request);
      expect(await store.requests.purge(3, 1)).to.equal(1);
      expect(await store.requests.find(first?.id ?? '')).to.equal(null);
      expect(await store.requests.purge(3, 10)).to.equal(1);
      expect(await store.requests.purge(3, 10)).to.equal(0);
      expect(await store.requests.find(live?.id ?? '')).to.deep.equal(live);
      await store.requests.purge(T, 100_000);
    });
  });
}
