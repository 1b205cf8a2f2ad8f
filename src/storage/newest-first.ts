import type { TokenRecord } from '../domain/tokens/token-record.ts';

const NEVER = Number.MAX_SAFE_INTEGER;

/** Records of one second are told apart by how long they last: the one saved last lasts longest. */
export const newestFirst = (a: TokenRecord, b: TokenRecord): number =>
  b.createdAt - a.createdAt || (b.expiresAt ?? NEVER) - (a.expiresAt ?? NEVER) || (a.id < b.id ? 1 : -1);
