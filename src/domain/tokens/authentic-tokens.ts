import { createAuthenticator, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import { SEALED_KINDS, type TokenKind, type TokenRecord } from './token-record.ts';
import type { DurableTokenStore } from './token-store.ts';

/** These refuse something by being there: one that somebody else wrote must refuse as well. */
const REFUSING_KINDS: ReadonlySet<TokenKind> = new Set<TokenKind>(['ReplayMarker', 'EndedSession', 'RevokedToken']);

/** Whether records of this kind carry a MAC. What is sealed whole is bound to its key already. */
export const needsMac = (kind: string): boolean =>
  !SEALED_KINDS.has(kind as TokenKind) && !REFUSING_KINDS.has(kind as TokenKind);

/** All but when it came to be and when it was used: the store writes that by itself. */
export const tokenFacts = (record: TokenRecord): RowFacts => [
  record.kind,
  record.id,
  record.payload,
  record.grantId,
  record.accountId,
  record.clientId,
  record.uid,
  record.userCode,
  record.expiresAt,
];

/** Records as Gatehouse wrote them; a grant, code, token or session that somebody else changed does not exist. */
export function authenticTokens(stored: DurableTokenStore, macs: RowMacs): DurableTokenStore {
  const authenticator = createAuthenticator<TokenRecord>({
    macs,
    table: 'token_records',
    idOf: ({ kind, id }) => `${kind} ${id}`,
    factsOf: tokenFacts,
  });
  const sealed = (record: TokenRecord): TokenRecord => (needsMac(record.kind) ? authenticator.sealed(record) : record);
  const opened = (record: TokenRecord | null): TokenRecord | null =>
    record === null || !needsMac(record.kind) ? record : authenticator.opened(record);
  const openedAll = (records: readonly TokenRecord[]): TokenRecord[] =>
    records.map(opened).filter((record) => record !== null);

  // Each method by name: a new one has to decide.
  return {
    insert: (record) => stored.insert(sealed(record)),
    save: (record) => stored.save(sealed(record)),
    update: (record, use) => stored.update(sealed(record), use),
    find: async (kind, id) => opened(await stored.find(kind, id)),
    findMany: async (keys) => openedAll(await stored.findMany(keys)),
    findByUid: async (uid) => openedAll(await stored.findByUid(uid)),
    findByUserCode: async (userCode) => opened(await stored.findByUserCode(userCode)),
    listByAccount: async (kind, accountId, limit) => openedAll(await stored.listByAccount(kind, accountId, limit)),
    consume: (kind, id, atMs) => stored.consume(kind, id, atMs),
    commit: ({ inserts, ...change }) => stored.commit({ ...change, inserts: inserts.map(sealed) }),
    remove: (kind, id) => stored.remove(kind, id),
    removeByGrant: (grantId, grantKey) => stored.removeByGrant(grantId, grantKey),
    removeBySession: (uid, clientId) => stored.removeBySession(uid, clientId),
    removeByAccount: (accountId) => stored.removeByAccount(accountId),
    removeByClient: (clientId) => stored.removeByClient(clientId),
    purge: (nowSeconds, limit) => stored.purge(nowSeconds, limit),
    clearReceipts: (outsideMs, limit) => stored.clearReceipts(outsideMs, limit),
  };
}
