import type { AuditEvent } from '../../domain/audit/audit-event.ts';
import type { AuditStore } from '../../domain/audit/audit-store.ts';
import { type Database, insertSql, type Row, type Value } from './database.ts';
import { deleteBatch } from './delete-batch.ts';
import { fromJson } from './json.ts';

interface AuditRow {
  id: string;
  type: AuditEvent['type'];
  at: number;
  account_id: string | null;
  client_id: string | null;
  ip: string | null;
  request_id: string | null;
  details: string;
}

export function createAuditStore({ database }: { database: Database }): AuditStore {
  return {
    async insert(event) {
      const row = toRow(event);
      await database.affected(insertSql('audit_events', row), Object.values(row));
    },

    purge: (beforeMs, limit) =>
      deleteBatch(database, { table: 'audit_events', key: ['id'], column: 'at', before: beforeMs, limit }),

    async list({ type, accountId, clientId, limit }) {
      const wanted = { type, account_id: accountId, client_id: clientId };
      const conditions: string[] = [];
      const values: Value[] = [];
      for (const [column, value] of Object.entries(wanted)) {
        if (value === undefined) continue;
        conditions.push(`${column} = ?`);
        values.push(value);
      }
      const where = conditions.length > 0 ? `where ${conditions.join(' and ')} ` : '';
      const sql =
        'select id, type, at, account_id, client_id, ip, request_id, details ' +
        `from audit_events ${where}order by at desc, seq desc limit ?`;
      return (await database.rows<AuditRow>(sql, [...values, limit])).map(toEvent);
    },
  };
}

const toRow = (event: AuditEvent): Row => ({
  id: event.id,
  type: event.type,
  at: event.at,
  account_id: event.accountId,
  client_id: event.clientId,
  ip: event.ip,
  request_id: event.requestId,
  details: JSON.stringify(event.details),
});

const toEvent = (row: AuditRow): AuditEvent => ({
  id: row.id,
  type: row.type,
  at: row.at,
  accountId: row.account_id,
  clientId: row.client_id,
  ip: row.ip,
  requestId: row.request_id,
  details: fromJson(row.details),
});
