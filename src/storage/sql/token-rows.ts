import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { TokenKind, TokenRecord } from '../../domain/tokens/token-record.ts';
import type { Row } from './database.ts';
import { storedMac } from './stored-mac.ts';

export interface TokenRow {
  kind: TokenKind;
  id: string;
  payload: string;
  grant_id: string | null;
  account_id: string | null;
  client_id: string | null;
  uid: string | null;
  user_code: string | null;
  created_at: number;
  expires_at: number | null;
  consumed_at: number | null;
  receipt: string | null;
  row_mac: string | null;
}

export const TOKEN_COLUMNS =
  'kind, id, payload, grant_id, account_id, client_id, uid, user_code, created_at, expires_at, consumed_at, receipt, row_mac';

export const toTokenRow = (record: Stored<TokenRecord>): Row => ({
  kind: record.kind,
  id: record.id,
  payload: record.payload,
  grant_id: record.grantId,
  account_id: record.accountId,
  client_id: record.clientId,
  uid: record.uid,
  user_code: record.userCode,
  created_at: record.createdAt,
  expires_at: record.expiresAt,
  consumed_at: record.consumedAt,
  receipt: record.receipt,
  receipt_at: record.receipt === null ? null : record.consumedAt,
  row_mac: record.rowMac ?? null,
});

export const toTokenRecord = (row: TokenRow): Stored<TokenRecord> => ({
  kind: row.kind,
  id: row.id,
  payload: row.payload,
  grantId: row.grant_id,
  accountId: row.account_id,
  clientId: row.client_id,
  uid: row.uid,
  userCode: row.user_code,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  consumedAt: row.consumed_at,
  receipt: row.receipt,
  ...storedMac(row),
});
