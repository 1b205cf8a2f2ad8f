import type { AuditEvent, AuditType } from './audit-event.ts';

export interface AuditStore {
  insert(event: AuditEvent): Promise<void>;
  /** Newest first. */
  list(filter: { type?: AuditType; accountId?: string; clientId?: string; limit: number }): Promise<AuditEvent[]>;
}
