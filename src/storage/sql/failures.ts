import { StoreRefusal, StoreUnavailableError } from '../../kit/errors.ts';
import { tlsFailure } from '../tls-failure.ts';
import { reasonOf } from './reasons.ts';

/**
 * What became of a statement that failed. `conflict`: the database chose it as the victim of a deadlock or could not
 * get a lock; nothing was changed and it may be tried again. `unavailable`: no fault of the statement.
 */
export type Failure = 'duplicate' | 'conflict' | 'unavailable' | 'fault';

/** A statement the database refused. Drivers put bound values into messages and properties; this error has none. */
export class DatabaseError extends Error {
  override name = 'DatabaseError';
  readonly code: string;
  /** In words for the operator, when the state of the server explains it. */
  readonly reason: string | undefined;

  constructor(code: string, message: string, reason?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

interface DriverError {
  name?: string;
  message: string;
  code?: string | number;
  errno?: number;
  fatal?: boolean;
  table?: string;
  column?: string;
  constraint?: string;
}

const CONFLICT = new Set([
  '40001',
  '40P01',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'SQLITE_BUSY',
  'SQLITE_LOCKED',
]);
const DUPLICATE = new Set(['23505', 'ER_DUP_ENTRY']);

const UNAVAILABLE = new Set([
  // The network.
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
  // PostgreSQL: statement cancelled by its timeout, lock timeout, a replica, and an account or database that is not there.
  '57014',
  '55P03',
  '25006',
  '25P03',
  '28000',
  '28P01',
  '3D000',
  // MariaDB and MySQL.
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_SERVER_SHUTDOWN',
  'ER_QUERY_INTERRUPTED',
  'ER_QUERY_TIMEOUT',
  'ER_STATEMENT_TIMEOUT',
  'ER_CONNECTION_KILLED',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_CLIENT_INTERACTION_TIMEOUT',
  // Galera: the node is not part of the cluster.
  'ER_UNKNOWN_COM_ERROR',
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  'ER_BAD_DB_ERROR',
  // SQLite.
  'SQLITE_FULL',
  'SQLITE_IOERR',
  'SQLITE_CANTOPEN',
  'SQLITE_READONLY',
  'SQLITE_CORRUPT',
  'SQLITE_NOTADB',
  'SQLITE_PROTOCOL',
  'SQLITE_NOMEM',
  'SQLITE_AUTH',
  'SQLITE_PERM',
]);

/** Server error numbers that mysql2 has no name for: MariaDB's connection killed and statement time exceeded. */
const UNAVAILABLE_NUMBERS = new Set([1927, 1969, 3024]);

/** Classes of SQLSTATE: connection exception, insufficient resources, operator intervention (shutdown), system error. */
const UNAVAILABLE_CLASS = /^(08|53|57P|58)[0-9A-Z]{2,3}$/;

/** What a table, name or value that is not there means depends on the statement: it may be a fault of ours. */
const OURS_PERHAPS = new Set(['42P01', 'ER_NO_SUCH_TABLE', '22023', '42704', '42602', '55P02']);

/** Driver and pool errors without a code. */
const UNAVAILABLE_MESSAGE =
  /Connection (terminated|ended)|timeout (expired|exceeded)|not queryable|in closed state|operation timed out|acquire a connection|Database (handle )?is closed|^aborted$/i;

export function classify(error: unknown): Failure {
  if (!(error instanceof Error)) return 'fault';
  const { name, message, code, errno, fatal } = error as DriverError;
  const text = String(code);
  if (CONFLICT.has(text)) return 'conflict';
  if (DUPLICATE.has(text) || (text === 'SQLITE_CONSTRAINT' && message.includes('UNIQUE'))) return 'duplicate';
  if (UNAVAILABLE.has(text) || UNAVAILABLE_CLASS.test(text)) return 'unavailable';
  if (fatal === true || (errno !== undefined && UNAVAILABLE_NUMBERS.has(errno))) return 'unavailable';
  if (name === 'KnexTimeoutError' || name === 'TimeoutError' || UNAVAILABLE_MESSAGE.test(message)) return 'unavailable';
  // Settings, rights and certificates are the operator's to mend; the request that met them is not at fault.
  return !OURS_PERHAPS.has(text) && reasonOf(error) !== undefined ? 'unavailable' : 'fault';
}

/** PostgreSQL, MariaDB and MySQL, and a Galera node that is not ready: this server takes no writes, another one may. */
const READ_ONLY = new Set([
  '25006',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_READ_ONLY_MODE',
  'ER_UNKNOWN_COM_ERROR',
]);

export const isReadOnlyServer = (error: unknown): boolean => READ_ONLY.has(codeOf(error));

const LOST = new Set([
  'ECONNRESET',
  'EPIPE',
  'PROTOCOL_CONNECTION_LOST',
  'ER_SERVER_SHUTDOWN',
  'ER_CONNECTION_KILLED',
  'ER_CLIENT_INTERACTION_TIMEOUT',
  '57P01',
  '57P02',
  '57P05',
]);
/** The driver had found the connection to be over before it sent anything. */
const NOT_SENT = /not queryable|in closed state/i;

/** The connection ended. Whether the statement was carried out is not known: see `wasNotSent`. */
export const isConnectionLost = (error: unknown): boolean =>
  LOST.has(codeOf(error)) ||
  (error as DriverError).errno === 1927 ||
  /Connection (terminated|ended)/i.test((error as Error).message) ||
  wasNotSent(error);

export const wasNotSent = (error: unknown): boolean =>
  codeOf(error) === 'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR' || NOT_SENT.test((error as Error).message);

const codeOf = (error: unknown): string => String((error as DriverError).code);

/**
 * Strips the error of values; what only the server's state explains becomes StoreUnavailableError.
 * `failed` gives the statement, without its values, of a driver error.
 */
export function translate(error: unknown, failed: WeakMap<object, string>): Error {
  if (error instanceof StoreUnavailableError || error instanceof DatabaseError) return error;
  const refusal = tlsFailure(error);
  if (refusal) return new StoreUnavailableError('database', refusal, refusal.message);
  if (POOLED.has(codeOf(error)))
    return new StoreUnavailableError('database', new StoreRefusal(NEEDS_POOLER_WORD), NEEDS_POOLER_WORD);
  const failure = classify(error);
  const safe = withoutValues(error, failed);
  return failure === 'unavailable' || failure === 'conflict'
    ? new StoreUnavailableError('database', safe, reasonOf(error))
    : safe;
}

/** A prepared statement that is not there, or is there twice: it was prepared on another connection. */
const POOLED = new Set(['26000', '42P05']);
const NEEDS_POOLER_WORD =
  'a pooler in front of PostgreSQL passes each transaction to another connection, where prepared statements are lost: ' +
  'add ?pooler=transaction to DATABASE_URL, or let the pooler work by session';

/** Codes of drivers: `23505`, `ER_DUP_ENTRY`, `SQLITE_CONSTRAINT`, `ECONNREFUSED`. */
const DRIVER_CODE = /^([0-9A-Z]{5}|(ER|SQLITE|PROTOCOL)_\w+|E[A-Z_]+)$/;

function withoutValues(error: unknown, failed: WeakMap<object, string>): Error {
  if (!(error instanceof Error)) return new DatabaseError('unknown', 'the database failed without a reason');
  const { name, message, code, errno, table, column, constraint } = error as DriverError;
  const statement = failed.get(error);
  const reason = reasonOf(error);
  const known = code !== undefined && (DRIVER_CODE.test(String(code)) || reason !== undefined);
  const harmless = name === 'KnexTimeoutError' || (!known && errno === undefined && UNAVAILABLE_MESSAGE.test(message));
  // Neither a statement's nor the pool's: our own code threw it inside a transaction.
  if (statement === undefined && !known && !harmless && reason === undefined) return error;

  const facts = [
    known ? String(code) : undefined,
    errno,
    // The driver's own words, where no server had a say in them.
    harmless ? message : undefined,
    table && `table ${table}`,
    column && `column ${column}`,
    constraint && `constraint ${constraint}`,
  ];
  const subject = statement === undefined ? 'the database failed' : `"${statement.slice(0, 80)}" failed`;
  const told = reason === undefined ? '' : `: ${reason}`;
  const detail = facts.filter(Boolean).join(', ');
  return new DatabaseError(known ? String(code) : 'unknown', `${subject}${detail && ` (${detail})`}${told}`, reason);
}
