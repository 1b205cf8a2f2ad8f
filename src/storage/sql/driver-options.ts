import { connect, isIP } from 'node:net';
import type { Knex } from 'knex';
import type { ServerAddress } from '../../config/database-address.ts';
import { tlsOptions } from '../tls-options.ts';

/**
 * The address in the drivers' own words. They never see its text: each would read it in its own way, and ignore what it does not
 * know.
 */

export function postgresConnection(address: ServerAddress): Knex.PgConnectionConfig {
  const { host, port, postgres, tls } = address;
  return {
    host,
    ...(port === null ? {} : { port }),
    ...loginOf(address),
    application_name: postgres.applicationName ?? 'gatehouse',
    ...(postgres.options === null ? {} : { options: postgres.options }),
    // False, not undefined: the driver would look into its own environment variables.
    ssl: tls === null ? false : tlsOptions(tls, host, 'DATABASE_URL'),
    sslnegotiation: postgres.directTls ? 'direct' : 'postgres',
    enableChannelBinding: postgres.channelBinding,
  } as Knex.PgConnectionConfig;
}

export function mariadbConnection(address: ServerAddress): Knex.MySql2ConnectionConfig {
  const { host, tls } = address;
  const port = address.port ?? 3306;
  const connection = { ...(host.startsWith('/') ? { socketPath: host } : { host, port }), ...loginOf(address) };
  if (tls === null) return connection;
  const { checkServerIdentity: _, ...ssl } = tlsOptions(tls, host, 'DATABASE_URL');
  return {
    ...connection,
    ssl: { ...ssl, verifyIdentity: tls.verify === 'host' } as Knex.MariaSslConfiguration,
    ...(isIP(host) === 0 ? {} : byAddress(host, port)),
  } as Knex.MySql2ConnectionConfig;
}

/**
 * mysql2 compares the certificate with "localhost" when the host is an address. With a dot at its end the address passes for a
 * name, and Node's comparison takes that dot off again.
 */
const byAddress = (host: string, port: number) => ({
  host: `${host}.`,
  stream: () => connect({ host, port, keepAlive: true, noDelay: true }),
});

/** What is not given is left to the driver: PGPASSWORD and ~/.pgpass are in use. */
function loginOf({ user, password, database }: ServerAddress): { user?: string; password?: string; database?: string } {
  return {
    ...(user === null ? {} : { user }),
    ...(password === null ? {} : { password }),
    ...(database === null ? {} : { database }),
  };
}
