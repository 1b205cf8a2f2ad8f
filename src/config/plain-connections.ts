import { isThisMachine } from '../kit/addresses.ts';
import { readDatabaseAddress } from './database-address.ts';
import { readRedisAddress } from './redis-address.ts';
import type { StoreTls } from './store-tls.ts';

interface Connections {
  databaseUrl: string;
  redisUrl: string | null;
  apiOrigins: readonly string[];
  /** What may go in the clear: `stores`, `origins`. */
  allowPlain: readonly string[];
}

/** What the addresses of the stores and the origins send through a network in the clear. Problems in production. */
export function plainConnections({ databaseUrl, redisUrl, apiOrigins, allowPlain }: Connections): string[] {
  const stores = storesOf(databaseUrl, redisUrl)
    .filter(({ host, tls }) => tls === null && !host.startsWith('/') && !isThisMachine(host))
    .map(
      ({ setting, how }) =>
        `${setting}: what is stored, and its password, pass through the network in the clear; ${how}, ` +
        'or say that the network is trusted with GATEHOUSE_ALLOW_PLAIN=stores',
    );
  const origins = apiOrigins
    .filter((origin) => origin.startsWith('http:') && !isThisMachine(new URL(origin).hostname))
    .map(
      (origin) =>
        `GATEHOUSE_API_ORIGINS: a page of ${origin} can be changed on its way, and it may use tokens; serve it by https, ` +
        'or say that the network is trusted with GATEHOUSE_ALLOW_PLAIN=origins',
    );
  return [...(allowPlain.includes('stores') ? [] : stores), ...(allowPlain.includes('origins') ? [] : origins)];
}

interface Store {
  setting: string;
  host: string;
  tls: StoreTls | null;
  how: string;
}

/** Those that are reached through a network or a socket. */
export function storesOf(databaseUrl: string, redisUrl: string | null): Store[] {
  const database = readDatabaseAddress(databaseUrl);
  const how = 'add sslmode=verify-full to the address';
  return [
    ...(database.dialect === 'sqlite' ? [] : [{ setting: 'DATABASE_URL', how, ...database }]),
    ...(redisUrl === null ? [] : [{ setting: 'REDIS_URL', how: 'write rediss://', ...readRedisAddress(redisUrl) }]),
  ];
}
