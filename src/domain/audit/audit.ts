import type { Clock } from '../../kit/clock.ts';
import { newId } from '../../kit/ids.ts';
import { outsideBudget } from '../../kit/request-budget.ts';
import type { AuditEvent, AuditType } from './audit-event.ts';
import type { AuditStore } from './audit-store.ts';

export type RecordAudit = (
  type: AuditType,
  facts?: Partial<Pick<AuditEvent, 'accountId' | 'clientId' | 'ip' | 'requestId' | 'details'>>,
) => Promise<void>;

/** Writes before the caller answers: an event that could not be recorded fails the action it belongs to. */
export function createAudit({ store, clock }: { store: AuditStore; clock: Clock }): RecordAudit {
  return (type, facts = {}) =>
    // However late: what it tells of is done.
    outsideBudget(() =>
      store.insert({
        id: newId('evt'),
        type,
        at: clock.nowMs(),
        accountId: facts.accountId ?? null,
        clientId: facts.clientId ?? null,
        ip: facts.ip ?? null,
        requestId: facts.requestId ?? null,
        details: facts.details ?? {},
      }),
    );
}
