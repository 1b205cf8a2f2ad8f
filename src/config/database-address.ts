import { ConfigError } from './problems.ts';
import {
  AddressError,
  flagOf,
  hostName,
  portNumber,
  readAddress,
  shown,
  type Word,
  type WrittenAddress,
} from './store-address.ts';
import { isTlsWord, readTls, type StoreTls } from './store-tls.ts';

/** The three families of SQL we speak; `mariadb` stands for MySQL too. */
export type Dialect = 'sqlite' | 'postgres' | 'mariadb';

export interface SqliteAddress {
  readonly dialect: 'sqlite';
  /** What SQLite opens: a file, or `:memory:`. */
  readonly file: string;
}

/** Where a database server is and how it is spoken to: DATABASE_URL, read once, by us. No driver sees the text. */
export interface ServerAddress {
  readonly dialect: 'postgres' | 'mariadb';
  /** A name or an address; the path of the socket (PostgreSQL: of its folder). */
  readonly host: string;
  /** Null: the usual one. */
  readonly port: number | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly database: string | null;
  /** Null: in the clear. */
  readonly tls: StoreTls | null;
  readonly postgres: PostgresWords;
}

export interface PostgresWords {
  readonly applicationName: string | null;
  /** What the server is started with for this connection: `-c search_path=…`. */
  readonly options: string | null;
  /** False behind a pooler that passes each transaction to another connection: nothing may be left on a connection then. */
  readonly prepared: boolean;
  readonly channelBinding: boolean;
  readonly directTls: boolean;
}

export type DatabaseAddress = SqliteAddress | ServerAddress;

const SCHEMES: Readonly<Record<string, 'postgres' | 'mariadb'>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mariadb',
  mariadb: 'mariadb',
};

/** The words of each server beside those for TLS; an unknown one is refused, since it would do nothing. */
const WORDS = {
  postgres: [
    'sslmode',
    'sslrootcert',
    'sslcert',
    'sslkey',
    'host',
    'port',
    'user',
    'password',
    'dbname',
    'options',
    'application_name',
    'prepared',
    'pooler',
    'channel_binding',
    'sslnegotiation',
  ],
  mariadb: ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'socket'],
} as const;

const SAME: Readonly<Record<string, string>> = { socketpath: 'socket', unixsocket: 'socket' };

/** Says again what always holds. */
const ALWAYS: Readonly<Record<string, RegExp>> = {
  charset: /^utf8mb4$/i,
  clientencoding: /^utf-?8$/i,
  // Ours is libpq's meaning.
  uselibpqcompat: /^true$/i,
};

const LIMITS = 'Gatehouse has time limits of its own';
const SCHEMA = 'the schema is chosen with options=-c%20search_path%3D<name>';
/** What other programs know, and what there is in its place. */
const INSTEAD: Readonly<Record<string, string>> = {
  schema: SCHEMA,
  currentschema: SCHEMA,
  searchpath: SCHEMA,
  connectionlimit: 'GATEHOUSE_DATABASE_POOL is the number of connections',
  poolsize: 'GATEHOUSE_DATABASE_POOL is the number of connections',
  connecttimeout: LIMITS,
  statementtimeout: LIMITS,
  locktimeout: LIMITS,
  pooltimeout: LIMITS,
  sockettimeout: LIMITS,
  pgbouncer: 'pooler=transaction is for one that passes each transaction to another connection',
  statementcachesize: 'prepared=false switches prepared statements off',
  sslidentity: 'name the files of sslcert and sslkey, in PEM',
};

/** Throws ConfigError, without repeating the address: it may hold a password. */
export function readDatabaseAddress(text: string): DatabaseAddress {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new ConfigError(error.problems.map((problem) => `DATABASE_URL: ${problem}`));
  }
}

function read(text: string): DatabaseAddress {
  const scheme = /^([a-z]+):/i.exec(text.trim())?.[1]?.toLowerCase() ?? '';
  if (scheme === 'sqlite') return { dialect: 'sqlite', file: sqliteFile(text.trim().slice('sqlite:'.length)) };
  const dialect = SCHEMES[scheme];
  if (!dialect || !/^[a-z]+:\/\//i.test(text.trim()))
    throw new AddressError('starts with sqlite:, postgres:// or mysql://');
  const written = readAddress(text);
  const words = new Map(written.words.map((word) => [SAME[word.key] ?? word.key, word]));
  refuseUnknown(dialect, written.words);
  const host = hostOf(dialect, written, words);
  if (host === '') throw new AddressError('it names no host');
  return {
    dialect,
    host,
    port: words.has('port') ? portNumber(textOf(words, 'port') ?? '') : written.port,
    user: textOf(words, 'user') ?? written.user,
    password: textOf(words, 'password') ?? written.password,
    database: databaseOf(textOf(words, 'dbname') ?? written.path),
    ...tlsOf(host, written.words, words),
  };
}

function sqliteFile(text: string): string {
  const file = text.replace(/^\/\//, '');
  // SQLite takes no name for a database that is gone when it is closed.
  if (file === '') throw new AddressError('name the file after sqlite:');
  if (file.includes('?')) throw new AddressError('sqlite: takes the name of a file and no words after a ?');
  return file;
}

function refuseUnknown(dialect: 'postgres' | 'mariadb', words: readonly Word[]): void {
  const known = new Set<string>(WORDS[dialect].map((name) => name.replaceAll('_', '')));
  const unknown = words.filter(
    (word) => !isTlsWord(word) && !known.has(SAME[word.key] ?? word.key) && !ALWAYS[word.key]?.test(word.value),
  );
  if (unknown.length === 0) return;
  throw new AddressError(
    ...unknown.map((word) => {
      if (ALWAYS[word.key]) return `${shown(word)} cannot be changed; take it out`;
      const instead = INSTEAD[word.key] ?? `known are ${WORDS[dialect].join(', ')}`;
      return `${shown(word)} is not known and would be ignored; take it out (${instead})`;
    }),
  );
}

function hostOf(dialect: 'postgres' | 'mariadb', written: WrittenAddress, words: ReadonlyMap<string, Word>): string {
  if (dialect === 'postgres') return hostName(textOf(words, 'host') ?? written.host);
  const socket = textOf(words, 'socket');
  if (socket !== null && !socket.startsWith('/'))
    throw new AddressError('socket is the path of a socket, from the root');
  return socket ?? written.host;
}

function databaseOf(path: string): string | null {
  if (path.includes('/')) throw new AddressError('after the host stands the name of one database, without a further /');
  return path || null;
}

function tlsOf(
  host: string,
  written: readonly Word[],
  words: ReadonlyMap<string, Word>,
): Pick<ServerAddress, 'tls' | 'postgres'> {
  const binding = oneOf(words, 'channelbinding', ['require', 'prefer', 'disable']);
  const negotiation = oneOf(words, 'sslnegotiation', ['postgres', 'direct']);
  const demandedBy = binding === 'require' ? 'channel_binding' : negotiation === 'direct' ? 'sslnegotiation' : null;
  const tls = readTls(written, { host, demandedBy });
  const pooler = oneOf(words, 'pooler', ['session', 'transaction']);
  const prepared = words.get('prepared');
  if (prepared && flagOf(prepared) === null) throw new AddressError('prepared is true or false');
  return {
    // Who must be sure of the other end has it verified: the driver uses channel binding where it is offered, and no more.
    tls: tls && binding === 'require' ? { ...tls, verify: 'host' } : tls,
    postgres: {
      applicationName: textOf(words, 'applicationname'),
      options: textOf(words, 'options'),
      prepared: pooler !== 'transaction' && (!prepared || flagOf(prepared) === true),
      channelBinding: tls !== null && binding !== null && binding !== 'disable',
      directTls: negotiation === 'direct',
    },
  };
}

const textOf = (words: ReadonlyMap<string, Word>, key: string): string | null => words.get(key)?.value || null;

function oneOf<Value extends string>(
  words: ReadonlyMap<string, Word>,
  key: string,
  values: readonly Value[],
): Value | null {
  const word = words.get(key);
  if (!word) return null;
  const found = values.find((value) => value === word.value.toLowerCase());
  if (found === undefined) throw new AddressError(`${shown(word)} is one of ${values.join(', ')}`);
  return found;
}
