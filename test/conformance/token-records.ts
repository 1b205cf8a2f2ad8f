import type { TokenKind, TokenRecord } from '../../src/domain/tokens/token-record.ts';
import { newId } from '../../src/kit/ids.ts';

/** Live for the next ten minutes, by the clock of the machine: Redis counts on it. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export const tokenRecord = (kind: TokenKind, changes: Partial<TokenRecord> = {}): TokenRecord => ({
  kind,
  id: newId('tok'),
  payload: '{}',
  grantId: null,
  accountId: null,
  clientId: null,
  uid: null,
  userCode: null,
  createdAt: nowSeconds(),
  expiresAt: nowSeconds() + 600,
  consumedAt: null,
  receipt: null,
  ...changes,
});

export const idsOf = (records: readonly TokenRecord[]): string[] => records.map(({ id }) => id).sort();
