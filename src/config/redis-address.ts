import { ConfigError } from './problems.ts';
import { AddressError, readAddress, shown } from './store-address.ts';
import { isTlsWord, readTls, type StoreTls } from './store-tls.ts';

/** Where Redis is: REDIS_URL, read once, by us. */
export interface RedisAddress {
  /** A name, an address, or the path of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | null;
  readonly password: string | null;
  /** Number of the database. */
  readonly database: number;
  /** IP version that names are resolved to; 0: either. */
  readonly family: 0 | 4 | 6;
  /** Null: in the clear. */
  readonly tls: StoreTls | null;
}

/** Throws ConfigError, without repeating the address: it may hold a password. */
export function readRedisAddress(text: string): RedisAddress {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new ConfigError(error.problems.map((problem) => `REDIS_URL: ${problem}`));
  }
}

function read(text: string): RedisAddress {
  if (!/^(?:rediss?|unix):\/\//i.test(text.trim())) {
    throw new AddressError('starts with redis:// or rediss:// (or unix:// for a socket)');
  }
  const { scheme, words, path, host: written, ...rest } = readAddress(text);
  const unknown = words.filter((word) => !isTlsWord(word) && word.key !== 'db' && word.key !== 'family');
  if (unknown.length > 0) {
    const known = 'db, family and, for TLS, sslrootcert, sslcert, sslkey, verify_peer';
    throw new AddressError(
      ...unknown.map((word) => `${shown(word)} is not known and would be ignored; take it out (known are ${known})`),
    );
  }
  const value = (key: string): string | undefined => words.find((word) => word.key === key)?.value;
  const bySocket = scheme === 'unix';
  if (bySocket && written !== '') throw new AddressError('a socket is written unix:///path?db=0');
  const host = bySocket ? `/${path}` : written;
  if (host === '' || host === '/') throw new AddressError('it names no host');
  if (host.startsWith('/') && !bySocket) throw new AddressError('a socket is written unix:///path?db=0');
  const number = value('db') ?? (bySocket ? '' : path);
  if (!/^[0-9]{0,5}$/.test(number))
    throw new AddressError('after the host stands the number of a database, or nothing');
  const family = value('family') ?? '0';
  if (!/^[046]$/.test(family)) throw new AddressError('family is 4, 6 or 0');
  return {
    host,
    port: rest.port ?? 6379,
    user: rest.user,
    password: rest.password,
    database: Number(number),
    family: Number(family) as 0 | 4 | 6,
    tls: readTls(words, { host, demandedBy: scheme === 'rediss' ? 'rediss://' : null }),
  };
}
