import { type Mutant, noticedBy } from '../mutant.ts';

const sqlite = noticedBy('storage/sqlite.test.ts');
const redis = noticedBy('storage/redis.test.ts');

/** Conditions in statements and scripts that make a thing happen once. */
export const STORAGE: readonly Mutant[] = [
  sqlite(
    'a record is used up more than once',
    "'update token_records set consumed_at = ? where kind = ? and id = ? and consumed_at is null';",
    "'update token_records set consumed_at = ? where kind = ? and id = ?';",
  ),
  sqlite(
    'two token requests use up one code',
    "receipt_at = ? where kind = ? and id = ? and consumed_at is null';",
    "receipt_at = ? where kind = ? and id = ?';",
  ),
  sqlite(
    'a token request that came second leaves its tokens behind',
    'if ((await tx.affected(CONSUME, use)) !== 1) return false;',
    'await tx.affected(CONSUME, use);',
  ),
  sqlite(
    'a lease has two holders',
    "const free = '(holder = ? or ends_at <= ? or ends_at > ?)';",
    "const free = '(holder = ? or ends_at <> ? or ends_at > ?)';",
  ),
  sqlite(
    'anybody releases the lease of another',
    "await database.affected('delete from leases where name = ? and holder = ?', [name, holder]);",
    "await database.affected('delete from leases where name = ? and ? <> 1', [name, holder]);",
  ),
  sqlite(
    'a change of a key undoes another one',
    'version = version + 1 where id = ? and version = ?`;',
    'version = version + 1 where id = ? and version <> ? * -1`;',
  ),
  sqlite(
    'a change of a provider key undoes another one',
    "'fingerprint = ?, updated_at = ? where id = ? and owner_id = ? and version = ?';",
    "'fingerprint = ?, updated_at = ? where id = ? and owner_id = ? and version <> ? * -1';",
  ),
  sqlite(
    'the provider key of another owner is found',
    "(await keys('id = ? and owner_id = ?', [id, ownerId]))[0] ?? null;",
    "(await keys('id = ? and owner_id <> ?', [id, '']))[0] ?? null;",
  ),
  sqlite('a repeated creation creates again', "if (first) return { kind: 'repeated', first };", ''),
  sqlite(
    'a data key is replaced by an older copy of it',
    "'update data_keys set sealed = ? where name = ? and sealed = ?';",
    "'update data_keys set sealed = ? where name = ? and ? <> 1';",
  ),
  sqlite(
    'attempts are not counted together',
    "`attempts = case when ${given('attempts')} = 0 then 0 when ${over} then 1 else ${old('attempts')} + 1 end`,",
    "`attempts = case when ${given('attempts')} = 0 then 0 when ${over} then 1 else ${old('attempts')} end`,",
  ),
  redis(
    'a record is used up more than once, in Redis',
    "if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX', KEYS[1], 'c', ARGV[1]) == 0 then return 0 end",
    "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end redis.call('HSETNX', KEYS[1], 'c', ARGV[1])",
  ),
  redis('a replay marker is written over', "if ARGV[1] == 'insert' and not fresh then return 0 end", ''),
  redis(
    'what is used up in Redis comes from nowhere',
    "if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX'",
    "if redis.call('HSETNX'",
  ),
  redis('a counter lets through more than its quota', 'if not all then return answer end', ''),
  redis(
    'what a stranger says on a Redis channel is told to the server',
    'if (topic === undefined || body === undefined) {',
    'if (topic === undefined) {',
  ),
  redis('a message of the own process is heard twice', 'if (`${kind}${rest}` === ownId) return;', ''),
];
