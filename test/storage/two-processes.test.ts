import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { newId } from '../../src/kit/ids.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { growing } from '../conformance/throttle-counters.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { requirePart } from '../support/requirements.ts';
import { openStores } from './open-stores.ts';
import type { Outcome, Start } from './race-worker.ts';

const WORKER = join(import.meta.dirname, 'race-worker.ts');
const ROUNDS = 5;

interface Backend {
  databaseUrl: string;
  redisUrl?: string;
  cleanUp?: () => void;
}

const BACKENDS: Record<string, (context: Mocha.Context) => Promise<Backend>> = {
  'one SQLite file': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-race-'));
    return { databaseUrl: `sqlite:${folder}/race.sqlite`, cleanUp: () => rmSync(folder, { recursive: true }) };
  },
  PostgreSQL: async (context) => ({ databaseUrl: await (await requirePart('postgres', context)).createDatabase() }),
  MariaDB: async (context) => ({ databaseUrl: await (await requirePart('mariadb', context)).createDatabase() }),
  'PostgreSQL and Redis': async (context) => ({
    databaseUrl: await (await requirePart('postgres', context)).createDatabase(),
    redisUrl: (await requirePart('redis', context)).url,
  }),
};

for (const [name, prepare] of Object.entries(BACKENDS)) {
  describe(`two processes on ${name}`, () => {
    let backend: Backend;
    let stores: Stores;
    let workers: ChildProcess[];

    before(async function () {
      backend = await prepare(this);
      const { databaseUrl, redisUrl } = backend;
      // No tables yet: both workers and this process find that out at the same time.
      workers = [1, 2].map(() => fork(WORKER, [databaseUrl, ...(redisUrl ? [redisUrl] : [])]));
      const ready = workers.map((worker) => once(worker, 'message'));
      stores = await openStores({ databaseUrl, ...(redisUrl ? { redisUrl } : {}) });
      await Promise.all(ready);
    });
    after(async () => {
      for (const worker of workers ?? []) {
        const ended = once(worker, 'exit');
        worker.disconnect();
        await ended;
      }
      await stores?.[Symbol.asyncDispose]();
      backend?.cleanUp?.();
    });

    /** 25 calls in each process, at once. */
    async function race(start: Omit<Start, 'count'>): Promise<Outcome> {
      const answers = workers.map(async (worker) => {
        const answer = once(worker, 'message');
        worker.send({ ...start, count: 25 });
        const [outcome] = (await answer) as [Outcome | { failed: string }];
        if ('failed' in outcome) throw new Error(outcome.failed);
        return outcome;
      });
      const outcomes = await Promise.all(answers);
      return {
        won: outcomes.reduce((sum, { won }) => sum + won, 0),
        successors: outcomes.flatMap(({ successors }) => successors),
      };
    }

    for (const kind of ['DeviceCode', 'RefreshToken'] as const) {
      it(`use a ${kind} once`, async () => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const record = tokenRecord(kind);
          await stores.tokens.insert(record);
          expect((await race({ race: 'consume', kind, id: record.id })).won).to.equal(1);
        }
      });

      it(`commit a ${kind} once, with one set of successors`, async () => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const record = tokenRecord(kind);
          await stores.tokens.insert(record);
          const { won, successors } = await race({ race: 'commit', kind, id: record.id });
          expect(won).to.equal(1);
          expect((await stores.tokens.findMany(successors)).map((found) => found.kind)).to.have.members([
            'RefreshToken',
            'AccessToken',
          ]);
          expect((await stores.tokens.find(kind, record.id))?.receipt).to.be.oneOf(workers.map(({ pid }) => `${pid}`));
        }
      });

      it(`insert and remove a ${kind} once`, async () => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const id = newId('tok');
          expect((await race({ race: 'insert', kind, id })).won).to.equal(1);
          expect((await race({ race: 'remove', kind, id })).won).to.equal(1);
        }
      });
    }

    it('let no more attempts pass than are free, and count those of both', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = newId('key');
        expect((await race({ race: 'attempt', kind: 'Session', id })).won).to.equal(3);
        const [wait = 0] = await stores.throttle.take(
          [{ owner: id, counters: [growing(`${id} growing`)] }],
          1_700_000_000_000,
        );
        expect(wait).to.be.at.least(2000);
      }
    });

    it('let exactly 20 through on a quota of 20, and take no more from the other counter', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = newId('limit');
        expect((await race({ race: 'take', kind: 'Session', id })).won).to.equal(20);
        const wide = { name: 'wide', id: `${id} wide`, quota: 40, windowSeconds: 3600 };
        expect((await stores.rateLimits.take(id, [wide]))[0]?.remaining).to.equal(19);
      }
    });

    it('give a lease to one holder', async () => {
      expect((await race({ race: 'lease', kind: 'Session', id: newId('job') })).won).to.equal(1);
    });
  });
}
