import type { AuditEvent, AuditType } from './audit-event.ts';

export interface AuditStore {
  insert(event: AuditEvent): Promise<void>;
  /** Deletes at most `limit` events from before `beforeMs`; returns how many. */
  purge(beforeMs: number, limit: number): Promise<number>;
  /** Newest first. */
  list(filter: { type?: AuditType; accountId?: string; clientId?: string; limit: number }): Promise<AuditEvent[]>;
}
