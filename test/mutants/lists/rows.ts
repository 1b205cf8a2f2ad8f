import { type Mutant, noticedBy } from '../mutant.ts';

const authenticRows = noticedBy('storage/authentic-rows.test.ts');
const rowMacs = noticedBy('row-macs/row-macs.test.ts');
const changedRows = noticedBy('api/changed-rows.test.ts');
/** Rows that authorize are used as Gatehouse wrote them, and not otherwise. */
export const ROWS: readonly Mutant[] = [
  rowMacs(
    'a changed row is used',
    'return rowMac !== undefined && isReadable(facts) && constantTimeEqual(make(table, facts), rowMac);',
    'return rowMac !== undefined && isReadable(facts);',
  ),
  rowMacs(
    'a row without a MAC is used for ever',
    'if (isRight(table, facts, rowMac) || (!isClosed() && isReadable(facts))) return true;',
    'if (isRight(table, facts, rowMac) || (rowMac === undefined && isReadable(facts))) return true;',
  ),
  rowMacs(
    'the MAC of a row of one table is good in another',
    'digester.digest(`row:${table}`, JSON.stringify(facts.map(asKept)));',
    "digester.digest('row', JSON.stringify(facts.map(asKept)));",
  ),
  changedRows('an API key gets another owner in the database', '  key.ownerId,', '', { beside: 'importedEndsAt,' }),
  authenticRows('an API key gets another environment in the database', '  key.environment,', '', {
    beside: 'key.previous?.mac ?? null',
  }),
  authenticRows('an API key gets other scopes in the database', '  key.scopes,', '', {
    beside: 'key.previous?.mac ?? null',
  }),
  authenticRows('a client gets another owner in the database', '  client.ownerId,', ''),
  authenticRows('a client gets other scopes in the database', '  client.scopes,', '', { beside: 'clientFacts' }),
  authenticRows('a client gets another redirect URI in the database', '  client.redirectUris,', ''),
  authenticRows('a token becomes that of another account in the database', '  record.accountId,', '', {
    beside: 'REFUSING_KINDS',
  }),
  authenticRows(
    'a key is used though its owner was changed in the database',
    'return key && owner ? { key, owner } : null;',
    'return key ? { key, owner: found.owner } : null;',
  ),
  authenticRows(
    'a revocation that somebody else wrote is taken back',
    '!SEALED_KINDS.has(kind as TokenKind) && !REFUSING_KINDS.has(kind as TokenKind);',
    '!SEALED_KINDS.has(kind as TokenKind);',
  ),
];
