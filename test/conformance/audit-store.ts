import { expect } from 'chai';
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts';
import type { AuditStore } from '../../src/domain/audit/audit-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, parallel } from './parallel.ts';

const event = (changes: Partial<AuditEvent> = {}): AuditEvent => ({
  id: newId('evt'),
  type: 'account.signed_in',
  at: 1_700_000_000_123,
  accountId: null,
  clientId: null,
  ip: null,
  requestId: null,
  details: {},
  ...changes,
});

export function auditStoreSuite(open: () => Promise<AuditStore>): void {
  describe('audit store', () => {
    let audit: AuditStore;
    before(async () => {
      audit = await open();
    });

    it('keeps every field', async () => {
      const accountId = newId('acc');
      const full = event({
        accountId,
        clientId: newId('client'),
        ip: '2001:db8:85a3:1319:8a2e:370:7344:ffff%eth0',
        requestId: newId('req'),
        details: { reason: AWKWARD_TEXT, nul: '\u0000', count: 3, first: true },
      });
      const empty = event({ accountId });
      await audit.insert(full);
      await audit.insert(empty);
      expect(await audit.list({ accountId, limit: 10 })).to.deep.equal([empty, full]);
    });

    it('lists newest first, those of one millisecond in reverse order of insertion, at most `limit`', async () => {
      const clientId = newId('client');
      const events = [10, 30, 20, 20, 20].map((at) => event({ clientId, at }));
      for (const each of events) await audit.insert(each);
      const [at10, at30, first, second, third] = events;
      expect(await audit.list({ clientId, limit: 10 })).to.deep.equal([at30, third, second, first, at10]);
      expect(await audit.list({ clientId, limit: 2 })).to.deep.equal([at30, third]);
    });

    it('filters by type, account and client together', async () => {
      const accountId = newId('acc');
      const clientId = newId('client');
      const wanted = event({ accountId, clientId, type: 'consent.granted' });
      const others = [
        event({ accountId, clientId }),
        event({ accountId, type: 'consent.granted' }),
        event({ clientId, type: 'consent.granted' }),
      ];
      for (const each of [wanted, ...others]) await audit.insert(each);
      expect(await audit.list({ accountId, clientId, type: 'consent.granted', limit: 10 })).to.deep.equal([wanted]);
      expect(await audit.list({ accountId, limit: 10 })).to.have.lengthOf(3);
      expect((await audit.list({ type: 'consent.granted', limit: 3 })).length).to.equal(3);
      expect((await audit.list({ limit: 1 })).length).to.equal(1);
    });

    it('keeps all of 50 parallel events', async () => {
      const accountId = newId('acc');
      await parallel(50, () => audit.insert(event({ accountId })));
      expect(await audit.list({ accountId, limit: 100 })).to.have.lengthOf(50);
    });
  });
}
