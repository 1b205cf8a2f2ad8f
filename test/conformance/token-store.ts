import { expect } from 'chai';
import type { TokenKind } from '../../src/domain/tokens/token-record.ts';
import type { TokenStore } from '../../src/domain/tokens/token-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_JSON, countTrue, parallel } from './parallel.ts';
import { idsOf, tokenRecord } from './token-records.ts';

/** What every token store promises. `kind` is one it keeps; user codes and sessions keep their own kinds. */
export function tokenStoreSuite(open: () => Promise<TokenStore>, kind: TokenKind = 'DeviceCode'): void {
  describe(`token store, ${kind}`, () => {
    let tokens: TokenStore;
    before(async () => {
      tokens = await open();
    });

    describe('insert', () => {
      it('keeps every field', async () => {
        const record = tokenRecord(kind, {
          payload: AWKWARD_JSON,
          grantId: newId('grant'),
          accountId: newId('acc'),
          clientId: newId('client'),
          uid: newId('uid'),
          userCode: newId('code'),
        });
        expect(await tokens.insert(record)).to.equal(true);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);
      });

      it('keeps a record that is used already', async () => {
        const record = tokenRecord(kind, { consumedAt: 1_700_000_000_123, receipt: 'sealed' });
        await tokens.insert(record);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);
      });

      it('keeps absent references and no expiry as null', async () => {
        const record = tokenRecord(kind, { expiresAt: null });
        await tokens.insert(record);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);
      });

      it('keeps a payload of 100 KB', async () => {
        const record = tokenRecord(kind, { payload: JSON.stringify({ text: 'x€'.repeat(25_000) }) });
        await tokens.insert(record);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);
      });

      it('leaves an existing record untouched, also an expired one', async () => {
        const record = tokenRecord(kind, { payload: '"first"' });
        await tokens.insert(record);
        expect(await tokens.insert({ ...record, payload: '"second"' })).to.equal(false);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);

        const expired = tokenRecord(kind, { expiresAt: record.createdAt - 1 });
        await tokens.insert(expired);
        expect(await tokens.insert({ ...expired, expiresAt: record.createdAt + 600 })).to.equal(false);
      });

      it('lets exactly one of 50 parallel inserts of an id through', async () => {
        const record = tokenRecord(kind);
        const results = await parallel(50, (index) => tokens.insert({ ...record, payload: `${index}` }));
        expect(countTrue(results)).to.equal(1);
        expect((await tokens.find(kind, record.id))?.payload).to.equal(`${results.indexOf(true)}`);
      });

      it('tells ids apart that differ in case or accent', async () => {
        const id = newId('Straße');
        for (const variant of [id, id.toUpperCase(), id.toLowerCase(), id.replace('ß', 'ss')]) {
          expect(await tokens.insert(tokenRecord(kind, { id: variant }))).to.equal(true);
        }
      });
    });

    describe('find', () => {
      it('returns null for an unknown id, whatever it is made of', async () => {
        for (const id of [newId('tok'), '', "' or '1'='1", '\u0000', '\ud83d', '%', 'x'.repeat(5000)]) {
          expect(await tokens.find(kind, id)).to.equal(null);
        }
      });

      it('finds several at once and leaves out what is not there', async () => {
        const records = [tokenRecord(kind), tokenRecord(kind), tokenRecord(kind)];
        for (const record of records) await tokens.insert(record);
        const found = await tokens.findMany([...records, { kind, id: newId('tok') }]);
        expect(idsOf(found)).to.deep.equal(idsOf(records));
        expect(await tokens.findMany([])).to.deep.equal([]);
      });

      it('finds the sessions of a uid, newest first, and no other kind', async () => {
        const uid = newId('uid');
        const older = tokenRecord('Session', { uid, createdAt: 1_700_000_000 });
        const newer = tokenRecord('Session', { uid, createdAt: 1_700_000_001 });
        const saved = tokenRecord('Session', { uid, createdAt: 1_700_000_000, expiresAt: (older.expiresAt ?? 0) + 1 });
        for (const record of [older, newer, saved, tokenRecord('AccessToken', { uid })]) await tokens.save(record);
        expect((await tokens.findByUid(uid)).map(({ id }) => id)).to.deep.equal([newer.id, saved.id, older.id]);
        expect(await tokens.findByUid(newId('uid'))).to.deep.equal([]);
      });

      it('forgets the uid that a session had before', async () => {
        const session = tokenRecord('Session', { uid: newId('uid') });
        await tokens.save(session);
        await tokens.save({ ...session, uid: newId('uid') });
        expect(await tokens.findByUid(session.uid ?? '')).to.deep.equal([]);
      });

      it('finds a device code by its user code', async () => {
        const record = tokenRecord('DeviceCode', { userCode: newId('code') });
        await tokens.insert(record);
        expect(await tokens.findByUserCode(record.userCode ?? '')).to.deep.equal(record);
        expect(await tokens.findByUserCode(newId('code'))).to.equal(null);
      });
    });

    describe('save', () => {
      it('inserts', async () => {
        const record = tokenRecord(kind, { grantId: newId('grant') });
        await tokens.save(record);
        expect(await tokens.find(kind, record.id)).to.deep.equal(record);
      });

      it('replaces payload, references and expiry', async () => {
        const record = tokenRecord(kind, { grantId: newId('grant'), accountId: newId('acc') });
        await tokens.insert(record);
        const changed = {
          ...record,
          payload: AWKWARD_JSON,
          grantId: null,
          accountId: newId('acc'),
          clientId: newId('client'),
          expiresAt: (record.expiresAt ?? 0) + 300,
        };
        await tokens.save(changed);
        expect(await tokens.find(kind, record.id)).to.deep.equal(changed);
      });

      it('never clears the marks of use', async () => {
        const record = tokenRecord(kind, { consumedAt: 1_700_000_000_123, receipt: 'sealed' });
        await tokens.insert(record);
        await tokens.save({ ...record, payload: '"changed"', consumedAt: null, receipt: null });
        expect(await tokens.find(kind, record.id)).to.deep.equal({ ...record, payload: '"changed"' });
      });

      it('never clears the marks of use when it races with the use', async () => {
        for (let round = 0; round < 5; round += 1) {
          const record = tokenRecord(kind);
          await tokens.insert(record);
          await parallel(20, async (index) => {
            if (index === 10) expect(await tokens.consume(kind, record.id, 5)).to.equal(true);
            else await tokens.save({ ...record, payload: `${index}` });
          });
          expect((await tokens.find(kind, record.id))?.consumedAt).to.equal(5);
          expect(await tokens.consume(kind, record.id, 6)).to.equal(false);
        }
      });

      it('survives 50 parallel saves of one id', async () => {
        const record = tokenRecord(kind);
        await parallel(50, (index) => tokens.save({ ...record, payload: `${index}` }));
        expect(Number((await tokens.find(kind, record.id))?.payload)).to.be.within(0, 49);
      });
    });

    describe('update', () => {
      it('replaces what save replaces, of a record that exists', async () => {
        const record = tokenRecord(kind, { grantId: newId('grant'), consumedAt: 5, receipt: 'sealed' });
        await tokens.insert(record);
        const changed = { ...record, payload: AWKWARD_JSON, grantId: null, accountId: newId('acc'), expiresAt: null };
        expect(await tokens.update({ ...changed, consumedAt: null, receipt: null })).to.equal(true);
        expect(await tokens.find(kind, record.id)).to.deep.equal(changed);
        expect(await tokens.update(changed), 'also when nothing differs').to.equal(true);
      });

      it('never brings back what was removed', async () => {
        const record = tokenRecord(kind);
        expect(await tokens.update(record)).to.equal(false);
        expect(await tokens.update(record, { consumeAtMs: 5 })).to.equal(false);
        expect(await tokens.find(kind, record.id)).to.equal(null);
        for (let round = 0; round < 5; round += 1) {
          const raced = tokenRecord(kind);
          await tokens.insert(raced);
          await parallel(20, async (index) => {
            if (index === 10) expect(await tokens.remove(kind, raced.id)).to.equal(true);
            else await tokens.update({ ...raced, payload: `${index}` });
          });
          expect(await tokens.find(kind, raced.id)).to.equal(null);
        }
      });

      it('with a use changes only what was not used, and marks it', async () => {
        const record = tokenRecord(kind);
        await tokens.insert(record);
        const changed = { ...record, payload: '"first"' };
        expect(await tokens.update(changed, { consumeAtMs: 1_700_000_000_123 })).to.equal(true);
        expect(await tokens.update({ ...record, payload: '"second"' }, { consumeAtMs: 6 })).to.equal(false);
        expect(await tokens.find(kind, record.id)).to.deep.equal({ ...changed, consumedAt: 1_700_000_000_123 });
        expect(await tokens.consume(kind, record.id, 7)).to.equal(false);
      });

      it('lets exactly one of 50 parallel uses through, with its payload', async () => {
        const record = tokenRecord(kind);
        await tokens.insert(record);
        const results = await parallel(50, (index) =>
          tokens.update({ ...record, payload: `${index}` }, { consumeAtMs: index + 1 }),
        );
        expect(countTrue(results)).to.equal(1);
        const winner = results.indexOf(true);
        const kept = await tokens.find(kind, record.id);
        expect([kept?.payload, kept?.consumedAt]).to.deep.equal([`${winner}`, winner + 1]);
      });
    });

    describe('consume', () => {
      it('marks a record as used, once', async () => {
        const record = tokenRecord(kind);
        await tokens.insert(record);
        expect(await tokens.consume(kind, record.id, 1_700_000_000_123)).to.equal(true);
        expect(await tokens.consume(kind, record.id, 1_700_000_000_456)).to.equal(false);
        expect(await tokens.find(kind, record.id)).to.deep.equal({ ...record, consumedAt: 1_700_000_000_123 });
      });

      it('is false for a record that does not exist, and creates none', async () => {
        const id = newId('tok');
        expect(await tokens.consume(kind, id, 1)).to.equal(false);
        expect(await tokens.find(kind, id)).to.equal(null);
        expect(await tokens.insert(tokenRecord(kind, { id }))).to.equal(true);
      });

      it('lets exactly one of 50 parallel uses through', async () => {
        const record = tokenRecord(kind);
        await tokens.insert(record);
        const results = await parallel(50, (index) => tokens.consume(kind, record.id, index + 1));
        expect(countTrue(results)).to.equal(1);
        expect((await tokens.find(kind, record.id))?.consumedAt).to.equal(results.indexOf(true) + 1);
      });
    });

    describe('remove', () => {
      it('removes a record, once', async () => {
        const record = tokenRecord(kind);
        await tokens.insert(record);
        expect(await tokens.remove(kind, record.id)).to.equal(true);
        expect(await tokens.find(kind, record.id)).to.equal(null);
        expect(await tokens.remove(kind, record.id)).to.equal(false);
      });

      it('tells exactly one of 50 parallel removers that it did it', async () => {
        const record = tokenRecord(kind, { consumedAt: 1 });
        await tokens.insert(record);
        expect(countTrue(await parallel(50, () => tokens.remove(kind, record.id)))).to.equal(1);
      });
    });

    describe('removal by reference', () => {
      it('removes the records of a grant and no others', async () => {
        const grantId = newId('grant');
        const gone = [tokenRecord(kind, { grantId }), tokenRecord(kind, { grantId, consumedAt: 1 })];
        const moved = tokenRecord(kind, { grantId });
        const other = tokenRecord(kind, { grantId: newId('grant') });
        for (const record of [...gone, moved, other]) await tokens.insert(record);
        const movedAway = { ...moved, grantId: newId('grant') };
        await tokens.save(movedAway);

        await tokens.removeByGrant(grantId);

        expect(idsOf(await tokens.findMany([...gone, moved, other]))).to.deep.equal(idsOf([moved, other]));
        await tokens.removeByGrant(movedAway.grantId);
        expect(await tokens.find(kind, moved.id)).to.equal(null);
      });

      for (const [owner, removeBy] of [
        ['accountId', 'removeByAccount'],
        ['clientId', 'removeByClient'],
      ] as const) {
        it(`${removeBy} removes its records, what hangs on their grants, and returns the grants`, async () => {
          const value = newId('owner');
          const grantId = newId('grant');
          const own = [
            tokenRecord(kind, { [owner]: value, grantId }),
            tokenRecord('Session', { [owner]: value, uid: newId('uid') }),
          ];
          const hanging = tokenRecord(kind, { grantId });
          const other = tokenRecord(kind, { [owner]: newId('owner'), grantId: newId('grant') });
          for (const record of [...own, hanging, other]) await tokens.insert(record);

          expect(await tokens[removeBy](value)).to.deep.equal([grantId]);
          expect(idsOf(await tokens.findMany([...own, hanging, other]))).to.deep.equal([other.id]);
          expect(await tokens[removeBy](value)).to.deep.equal([]);
        });
      }

      it('copes with an account of many records', async () => {
        const accountId = newId('acc');
        const records = Array.from({ length: 1200 }, () => tokenRecord(kind, { accountId, grantId: newId('grant') }));
        await parallel(20, async (index) => {
          for (const record of records.slice(index * 60, index * 60 + 60)) await tokens.insert(record);
        });
        expect(await tokens.removeByAccount(accountId)).to.have.lengthOf(1200);
        expect(await tokens.findMany(records.slice(0, 100))).to.deep.equal([]);
        expect(await tokens.removeByAccount(accountId)).to.deep.equal([]);
      });

      it('survives parallel removals of one grant while records are added', async () => {
        const grantId = newId('grant');
        await parallel(30, async (index) => {
          if (index % 3 === 0) await tokens.removeByGrant(grantId);
          else await tokens.insert(tokenRecord(kind, { grantId }));
        });
        await tokens.removeByGrant(grantId);
      });
    });
  });
}
