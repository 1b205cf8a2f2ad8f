/**
 * Why a database says no, in words for the operator, by what its driver reports. The words are ours: a server's own may repeat
 * values, and drivers put passwords next to them.
 */

interface Facts {
  code?: string | number;
  errno?: number;
  name?: string;
  message: string;
}

type Reasons = readonly (readonly [what: RegExp, reason: string])[];

const USER = 'the user that DATABASE_URL names';
const GRANTS = `${USER} lacks a right that Gatehouse needs: it creates, reads and changes tables`;
const READ_ONLY = 'it takes no writes: it is a standby or set to read-only';
const MISSING_TABLE = 'a table is missing; run: gatehouse migrate up';
const DAMAGED = 'it reports damage to a table or index; restore a backup or repair it';
const DISK = 'its disk is full, or it may not write there';
const SHUTDOWN = 'it is shutting down, starting or ended the connection';
const TOO_MANY =
  'it has no room for another connection: too many connections (lower GATEHOUSE_DATABASE_POOL, or raise its limit)';
const OTHER_KIND = 'what answers there is no server of the kind that DATABASE_URL names';

/** By code: an SQLSTATE of PostgreSQL, a name of MariaDB and MySQL, a name of SQLite, of Node's network or of its TLS. */
const BY_CODE: Reasons = [
  // PostgreSQL
  [/^28P01$/, `it refuses the password of ${USER}`],
  [/^3D000$/, 'the database that DATABASE_URL names does not exist'],
  [/^3F000$/, 'the schema does not exist: no schema of the search_path is there'],
  [/^42501$/, `permission denied: ${GRANTS}. PostgreSQL 15 and later want: grant create on schema public to …`],
  [/^42P01$|^ER_NO_SUCH_TABLE$/, MISSING_TABLE],
  [/^(53300|53400)$|^ER_(CON_COUNT_ERROR|TOO_MANY_USER_CONNECTIONS|USER_LIMIT_REACHED)$/, TOO_MANY],
  [/^53100$|^ER_(DISK_FULL|RECORD_FILE_FULL)$/, DISK],
  [/^53200$|^ER_OUTOFMEMORY$/, 'it is out of memory'],
  [/^25006$|^ER_(OPTION_PREVENTS_STATEMENT|READ_ONLY_MODE|CANT_EXECUTE_IN_READ_ONLY_TRANSACTION)$/, READ_ONLY],
  [/^57P0[1-5]$|^ER_(SERVER_SHUTDOWN|CONNECTION_KILLED|CLIENT_INTERACTION_TIMEOUT)$/, SHUTDOWN],
  [/^57014$|^ER_(STATEMENT_TIMEOUT|QUERY_TIMEOUT|QUERY_INTERRUPTED)$/, 'a statement took longer than it may'],
  [/^55P03$|^40P01$|^40001$|^ER_LOCK_(WAIT_TIMEOUT|DEADLOCK)$/, 'another session holds a lock for too long'],
  [/^XX00[12]$|^ER_(CRASHED_ON_USAGE|CRASHED_ON_REPAIR|NOT_KEYFILE|OLD_KEYFILE|TABLE_CORRUPT|INDEX_CORRUPT)$/, DAMAGED],
  [/^(22023|42704|42602|55P02)$/, 'it does not know or take a setting that DATABASE_URL gives it'],
  [/^58\w{3}$/, 'it cannot read or write its own files'],
  // MariaDB and MySQL
  [
    /^ER_(ACCESS_DENIED_ERROR|ACCESS_DENIED_NO_PASSWORD_ERROR|HOST_NOT_PRIVILEGED)$/,
    `access denied: it does not know ${USER}, refuses the password, does not let it in from this address, or only with TLS`,
  ],
  [
    /^ER_DBACCESS_DENIED_ERROR$/,
    `access denied: ${USER} may not use the database it names, or there is no such database`,
  ],
  [/^ER_\w*ACCESS_DENIED\w*$/, `permission denied: ${GRANTS} (grant all on the database)`],
  [/^ER_BAD_DB_ERROR$/, 'the database that DATABASE_URL names does not exist'],
  [/^ER_NO_DB_ERROR$/, 'DATABASE_URL names no database'],
  [/^ER_HOST_IS_BLOCKED$/, 'it blocks this machine after too many failed connections (FLUSH HOSTS)'],
  [/^ER_(ACCOUNT_HAS_BEEN_LOCKED|MUST_CHANGE_PASSWORD\w*)$/, `${USER} is locked, or must change its password`],
  [
    /^(ER_NOT_SUPPORTED_AUTH_MODE|AUTH_SWITCH_PLUGIN_ERROR)$/,
    `it wants ${USER} to sign in in a way the driver does not know`,
  ],
  [/^ER_UNKNOWN_COM_ERROR$/, 'it is no working member of its cluster'],
  [/^PROTOCOL_(INCORRECT_PACKET_SEQUENCE|UNEXPECTED_PACKET)$/, OTHER_KIND],
  [/^PROTOCOL_\w+$/, 'the connection was lost'],
  // SQLite
  [/^SQLITE_CANTOPEN$/, 'its file cannot be opened: the path is wrong, a folder, or not for this user'],
  [/^SQLITE_(READONLY|PERM)$/, 'its file or the folder of the file cannot be written by this user'],
  [/^SQLITE_NOTADB$/, 'its file is no SQLite database'],
  [/^SQLITE_CORRUPT$/, 'its file is damaged; restore a backup'],
  [/^SQLITE_FULL$/, 'its disk is full'],
  [/^SQLITE_IOERR$/, 'its file cannot be read or written: a fault of the disk, or it is full'],
  [/^SQLITE_(BUSY|LOCKED)$/, 'another process holds its lock for too long'],
  // The network; for TLS see tls-failure.ts
  [/^ECONNREFUSED$/, 'nothing listens at its address'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'the name of its host does not resolve'],
  [/^ENOENT$/, 'its socket is not there'],
  [/^EACCES$/, 'its socket is not for this user'],
  [/^(EHOSTUNREACH|ENETUNREACH|ENETDOWN)$/, 'there is no way to its address'],
  [/^ETIMEDOUT$/, 'it did not answer in time'],
  [/^(ECONNRESET|ECONNABORTED|EPIPE)$/, 'it ended the connection'],
];

/** Where a code says too little, or there is none. */
const BY_MESSAGE: Reasons = [
  [/no pg_hba\.conf entry/, `its pg_hba.conf has no entry that lets ${USER} in from this address with this encryption`],
  [/^role .* does not exist/, `access denied: it has no role for ${USER}`],
  [/is not permitted to log in/, `access denied: ${USER} may not log in`],
  [/client password must be/, 'it asks for a password, and DATABASE_URL has none'],
  [/SASL|SCRAM/, `it refuses how ${USER} signs in: password or channel binding`],
  [/^Received unexpected|invalid response|Malformed/i, OTHER_KIND],
  [/account is locked/, `${USER} is locked`],
];

const NO_CONNECTION =
  'there was no connection in time: nothing, or another kind of server, answers at its address, or all connections of the ' +
  'pool are in use (GATEHOUSE_DATABASE_POOL)';

/** Undefined: an error that no state of a server explains. */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, name, message } = error as Facts;
  if (name === 'KnexTimeoutError' || name === 'TimeoutError') return NO_CONNECTION;
  // PostgreSQL has one code for all of these.
  const byMessage = code === undefined || code === '28000' || String(code).startsWith('ER_BULK_');
  const said = byMessage ? BY_MESSAGE.find(([what]) => what.test(message)) : undefined;
  const coded = code === undefined ? undefined : BY_CODE.find(([what]) => what.test(String(code)));
  if (said ?? coded) return (said ?? coded)?.[1];
  if (code === '28000') return `access denied: it does not let ${USER} in`;
  return /Connection (terminated|ended)|Connection lost/i.test(message) ? 'it ended the connection' : undefined;
}

/** What keeps a server that answers from taking writes, in words that anybody may read. */
const CONDITIONS: readonly (readonly [reason: string, condition: string])[] = [
  [READ_ONLY, 'read-only'],
  [DISK, 'full'],
  ['its disk is full', 'full'],
  [DAMAGED, 'damaged'],
  ['its file is damaged; restore a backup', 'damaged'],
];
const NO_RIGHT = /permission denied|cannot be written by this user/;

export function conditionOf(error: unknown): string | null {
  const reason = reasonOf(error);
  if (reason === undefined) return null;
  if (NO_RIGHT.test(reason)) return 'not to be written';
  return CONDITIONS.find(([what]) => what === reason)?.[1] ?? null;
}
