import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { AuditEvent } from '../../domain/audit/audit-event.ts';
import type { RequestFacts } from '../../http/request-context.ts';
import { createBudget } from '../../kit/budget.ts';
import { createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';

/** Rows a second about credentials that nobody is known for: a network has more addresses than the database has room. */
const STRANGERS_PER_SECOND = 10;
const SILENCE_MS = 60_000;

/** Writes to the audit trail what strangers can provoke at will: once a minute for each subject, and never more than a little. */
export type NoteRefusal = (
  type: 'credential.refused' | 'credential.exposed',
  facts: RequestFacts,
  known: { keyId?: string | null; accountId?: string | null; clientId?: string | null },
  details: AuditEvent['details'],
) => Promise<void>;

export function createNoteRefusal({ audit, clock }: { audit: RecordAudit; clock: Clock }): NoteRefusal {
  const noted = createExpiringSet({ max: 10_000, ttlMs: SILENCE_MS });
  const strangers = createBudget({ perSecond: STRANGERS_PER_SECOND, clock });
  return async (type, facts, { keyId = null, accountId = null, clientId = null }, details) => {
    const subject = keyId ?? clientId ?? accountId;
    const event = `${type}\0${String(details.reason)}\0${subject ?? facts.addressGroup}`;
    if (noted.has(event) || (subject === null && !strangers.take())) return;
    noted.add(event);
    const { ip, requestId } = facts;
    await audit(type, {
      accountId,
      clientId,
      ip,
      requestId,
      details: { ...details, ...(keyId === null ? {} : { keyId }) },
    });
  };
}
