import { expect } from 'chai';
import type { TokenRecord } from '../../src/domain/tokens/token-record.ts';
import type { DurableTokenStore } from '../../src/domain/tokens/token-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { countTrue, parallel } from './parallel.ts';
import { idsOf, nowSeconds, tokenRecord } from './token-records.ts';

/** What a refresh or a code exchange produces: one durable and one short-lived record. */
const successors = (grantId: string | null = null): TokenRecord[] => [
  tokenRecord('RefreshToken', { grantId }),
  tokenRecord('AccessToken', { grantId }),
];

/** What the durable token store promises beside the token store's contract. */
export function durableTokenStoreSuite(open: () => Promise<DurableTokenStore>): void {
  describe('durable token store', () => {
    let tokens: DurableTokenStore;
    before(async () => {
      tokens = await open();
    });

    for (const kind of ['RefreshToken', 'DeviceCode'] as const) {
      describe(`commit that consumes a ${kind}`, () => {
        it('consumes, keeps the receipt and inserts', async () => {
          const used = tokenRecord(kind);
          await tokens.insert(used);
          const inserts = successors();
          const consume = { kind, id: used.id, atMs: 1_700_000_000_123, receipt: 'sealed' };
          expect(await tokens.commit({ consume, inserts })).to.equal(true);
          expect(await tokens.find(kind, used.id)).to.deep.equal({
            ...used,
            consumedAt: 1_700_000_000_123,
            receipt: 'sealed',
          });
          expect(idsOf(await tokens.findMany(inserts))).to.deep.equal(idsOf(inserts));
        });

        it('changes nothing when the record was used before', async () => {
          const used = tokenRecord(kind, { consumedAt: 5, receipt: 'first' });
          await tokens.insert(used);
          const inserts = successors();
          const consume = { kind, id: used.id, atMs: 6, receipt: 'second' };
          expect(await tokens.commit({ consume, inserts })).to.equal(false);
          expect(await tokens.find(kind, used.id)).to.deep.equal(used);
          expect(await tokens.findMany(inserts)).to.deep.equal([]);
        });

        it('inserts nothing when the record is gone', async () => {
          const removed = tokenRecord(kind);
          await tokens.insert(removed);
          await tokens.remove(kind, removed.id);
          const inserts = successors();
          const consume = { kind, id: removed.id, atMs: 6 };
          expect(await tokens.commit({ consume, inserts })).to.equal(false);
          expect(await tokens.findMany([removed, ...inserts])).to.deep.equal([]);
        });

        it('lets exactly one of 50 parallel commits through, with its inserts and no others', async () => {
          const used = tokenRecord(kind);
          await tokens.insert(used);
          const attempts = Array.from({ length: 50 }, () => successors());
          const results = await parallel(50, (index) =>
            tokens.commit({
              consume: { kind, id: used.id, atMs: index + 1, receipt: `${index}` },
              inserts: attempts[index] ?? [],
            }),
          );
          expect(countTrue(results)).to.equal(1);
          const winner = results.indexOf(true);
          const record = await tokens.find(kind, used.id);
          expect([record?.consumedAt, record?.receipt]).to.deep.equal([winner + 1, `${winner}`]);
          const present = await tokens.findMany(attempts.flat());
          expect(idsOf(present)).to.deep.equal(idsOf(attempts[winner] ?? []));
        });

        it('and a plain consume that races with it exclude each other', async () => {
          for (let round = 0; round < 10; round += 1) {
            const used = tokenRecord(kind);
            await tokens.insert(used);
            const inserts = successors();
            const [committed, consumed] = await Promise.all([
              tokens.commit({ consume: { kind, id: used.id, atMs: 1 }, inserts }),
              tokens.consume(kind, used.id, 2),
            ]);
            expect([committed, consumed]).to.have.members([true, false]);
            expect(await tokens.findMany(inserts)).to.have.lengthOf(committed ? 2 : 0);
          }
        });
      });
    }

    it('commit without consume inserts all', async () => {
      const inserts = [...successors(), tokenRecord('Grant', { expiresAt: null })];
      expect(await tokens.commit({ inserts })).to.equal(true);
      expect(idsOf(await tokens.findMany(inserts))).to.deep.equal(idsOf(inserts));
    });

    it('commit without inserts consumes', async () => {
      const used = tokenRecord('RefreshToken');
      await tokens.insert(used);
      const consume = { kind: used.kind, id: used.id, atMs: 7 };
      expect(await tokens.commit({ consume, inserts: [] })).to.equal(true);
      expect(await tokens.commit({ consume, inserts: [] })).to.equal(false);
      expect(await tokens.commit({ inserts: [] })).to.equal(true);
    });

    it('commit that would insert an existing id fails and changes nothing', async () => {
      const used = tokenRecord('RefreshToken');
      const taken = tokenRecord('RefreshToken', { payload: '"taken"' });
      await tokens.insert(used);
      await tokens.insert(taken);
      const inserts = [tokenRecord('RefreshToken'), { ...taken, payload: '"other"' }];
      let failure: unknown;
      await tokens.commit({ consume: { kind: used.kind, id: used.id, atMs: 1 }, inserts }).catch((error: unknown) => {
        failure = error;
      });
      expect(failure).to.be.instanceOf(Error);
      expect(await tokens.find('RefreshToken', used.id)).to.deep.equal(used);
      expect(await tokens.findMany(inserts)).to.deep.equal([taken]);
    });

    it('removes the Grant with its records only when its key is given', async () => {
      const grantId = newId('grant');
      // A Grant may name itself: that alone must not remove it.
      const grant = tokenRecord('Grant', { grantId });
      const inserts = [grant, ...successors(grantId), tokenRecord('AuthorizationCode', { grantId })];
      await tokens.commit({ inserts });

      await tokens.removeByGrant(grantId);
      expect(await tokens.findMany(inserts)).to.deep.equal([grant]);

      const later = successors(grantId);
      await tokens.commit({ inserts: later });
      await tokens.removeByGrant(grantId, grant.id);
      expect(await tokens.findMany([grant, ...later])).to.deep.equal([]);
    });

    it('removeBySession removes the codes and grants that end with it and what hangs on them, and no session', async () => {
      const [uid, clientId] = [newId('uid'), newId('client')];
      const [first, second, offline] = [newId('grant'), newId('grant'), newId('grant')];
      const ofClient = [
        tokenRecord('Grant', { uid, clientId, grantId: first }),
        ...successors(first),
        tokenRecord('AuthorizationCode', { uid, clientId, grantId: newId('grant') }),
      ];
      const ofOther = [
        tokenRecord('Grant', { uid, clientId: newId('client'), grantId: second }),
        ...successors(second),
      ];
      const others = [
        tokenRecord('Session', { uid }),
        tokenRecord('Grant', { clientId, grantId: offline }),
        ...successors(offline),
        tokenRecord('Grant', { uid: newId('uid'), clientId, grantId: newId('grant') }),
      ];
      await tokens.commit({ inserts: [...ofClient, ...ofOther, ...others] });
      expect(await tokens.removeBySession(uid, clientId)).to.include(first);
      expect(idsOf(await tokens.findMany([...ofClient, ...ofOther]))).to.deep.equal(idsOf(ofOther));
      expect(await tokens.removeBySession(uid)).to.deep.equal([second]);
      expect(await tokens.findMany(ofOther)).to.deep.equal([]);
      expect(idsOf(await tokens.findMany(others))).to.deep.equal(idsOf(others));
      expect(await tokens.removeBySession(newId('uid'))).to.deep.equal([]);
    });

    for (const [removeBy, owner] of [
      ['removeBySession', 'uid'],
      ['removeByAccount', 'accountId'],
      ['removeByClient', 'clientId'],
    ] as const) {
      it(`${removeBy} and the redemption of a code that races with it leave no grant behind`, async () => {
        for (let round = 0; round < 20; round += 1) {
          const [value, grantId] = [newId('owner'), newId('grant')];
          const code = tokenRecord('AuthorizationCode', { grantId, [owner]: value });
          await tokens.insert(code);
          const inserts = [tokenRecord('Grant', { grantId, [owner]: value }), ...successors(grantId)];
          await Promise.all([
            tokens.commit({ consume: { kind: code.kind, id: code.id, atMs: 1 }, inserts }),
            tokens[removeBy](value),
          ]);
          expect(await tokens.find('Grant', inserts[0]?.id ?? '')).to.equal(null);
        }
      });
    }

    for (const [owner, removeBy] of [
      ['accountId', 'removeByAccount'],
      ['clientId', 'removeByClient'],
    ] as const) {
      it(`${removeBy} removes short-lived and durable records, and returns each grant once`, async () => {
        const value = newId('owner');
        const [first, second] = [newId('grant'), newId('grant')];
        const inserts = [
          tokenRecord('Grant', { grantId: first, [owner]: value }),
          tokenRecord('RefreshToken', { grantId: first, [owner]: value }),
          tokenRecord('AccessToken', { grantId: first }),
          tokenRecord('Session', { [owner]: value }),
          tokenRecord('AccessToken', { grantId: second, [owner]: value }),
          tokenRecord('RefreshToken', { grantId: second }),
        ];
        const others = successors(newId('grant'));
        await tokens.commit({ inserts: [...inserts, ...others] });
        expect((await tokens[removeBy](value)).sort()).to.deep.equal([first, second].sort());
        expect(await tokens.findMany(inserts)).to.deep.equal([]);
        expect(await tokens.findMany(others)).to.have.lengthOf(2);
      });
    }

    it('lists the records of one kind and account, newest first', async () => {
      const accountId = newId('acc');
      const at = (createdAt: number, changes = {}) => tokenRecord('LoginSession', { accountId, createdAt, ...changes });
      const [oldest, middle, newest] = [at(1000, { expiresAt: 1 }), at(2000, { consumedAt: 5 }), at(3000)];
      const others = [
        tokenRecord('LoginRefreshToken', { accountId }),
        tokenRecord('LoginSession', { accountId: newId('acc') }),
      ];
      await tokens.commit({ inserts: [middle, oldest, newest, ...others] });
      expect(await tokens.listByAccount('LoginSession', accountId, 10)).to.deep.equal([newest, middle, oldest]);
      expect(await tokens.listByAccount('LoginSession', accountId, 2)).to.deep.equal([newest, middle]);
      expect(await tokens.listByAccount('LoginSession', newId('acc'), 10)).to.deep.equal([]);
    });

    describe('purge', () => {
      it('deletes only what expired before the given time, oldest first, at most `limit`', async () => {
        await tokens.purge(nowSeconds(), 100_000);
        const [oldest, older, live, eternal] = [
          tokenRecord('RefreshToken', { expiresAt: 1000 }),
          tokenRecord('RefreshToken', { expiresAt: 1001, consumedAt: 1 }),
          tokenRecord('RefreshToken', { expiresAt: 1002 }),
          tokenRecord('Grant', { expiresAt: null }),
        ];
        await tokens.commit({ inserts: [live, older, oldest, eternal] });
        expect(await tokens.purge(1002, 1)).to.equal(1);
        expect(await tokens.find('RefreshToken', oldest.id)).to.equal(null);
        expect(await tokens.purge(1002, 10)).to.equal(1);
        expect(await tokens.purge(1002, 10)).to.equal(0);
        expect(idsOf(await tokens.findMany([older, live, eternal]))).to.deep.equal(idsOf([live, eternal]));
        await tokens.purge(nowSeconds(), 100_000);
      });

      it('deletes each record once when several processes purge', async () => {
        await tokens.purge(nowSeconds(), 100_000);
        await tokens.commit({
          inserts: Array.from({ length: 90 }, () => tokenRecord('RefreshToken', { expiresAt: 5 })),
        });
        let deleted = 0;
        for (let round = 0; round < 10; round += 1) {
          deleted += (await parallel(4, () => tokens.purge(6, 10))).reduce((sum, count) => sum + count, 0);
        }
        expect(deleted).to.equal(90);
      });
    });

    it('clearReceipts drops old receipts, at most `limit`, and leaves the mark of use', async () => {
      await tokens.clearReceipts([1e15, 1e15], 100_000);
      const at = (consumedAt: number) => tokenRecord('RefreshToken', { consumedAt, receipt: 'sealed' });
      const [oldest, older, recent] = [at(1000), at(1001), at(1002)];
      await tokens.commit({ inserts: [recent, older, oldest] });
      expect(await tokens.clearReceipts([1002, 5000], 1)).to.equal(1);
      expect(await tokens.find('RefreshToken', oldest.id)).to.deep.equal({ ...oldest, receipt: null });
      expect(await tokens.clearReceipts([1002, 5000], 10)).to.equal(1);
      expect(await tokens.clearReceipts([1002, 5000], 10)).to.equal(0);
      expect(await tokens.find('RefreshToken', recent.id)).to.deep.equal(recent);
      await tokens.commit({ inserts: [at(5001)] });
      expect(await tokens.clearReceipts([1002, 5000], 10), 'of a time that has not come').to.equal(1);
    });
  });
}
