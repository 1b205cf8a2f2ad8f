import { execFile } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { findBinary } from './find-binary.ts';
import { createServerFolder, ownCopy, runInFolder, type ServerTls, startServerProcess } from './server-process.ts';
import { ACCOUNT, type SqlServer, withConnection } from './sql-server.ts';

const ADMINISTRATOR = 'postgres';

/** Tests may lose what only a power failure would lose. A commit still survives the death of the server. */
const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off' };

export function postgresAvailable(): boolean {
  return findBinary('initdb') !== undefined;
}

/** @param options.tls it speaks TLS too, and listens on 127.0.0.2 beside. */
export async function startPostgres({ tls }: { tls?: ServerTls } = {}): Promise<SqlServer> {
  const initdb = findBinary('initdb');
  if (!initdb) throw new Error('PostgreSQL is not installed');
  // initdb, postgres and pg_dump must be of one version: the ones next to each other are.
  const binary = (name: string) => join(dirname(realpathSync(initdb)), name);

  const folder = createServerFolder('postgres', 'postgres');
  const data = join(folder.path, 'data');
  const passwordFile = join(folder.path, 'password');
  writeFileSync(passwordFile, ADMINISTRATOR, { mode: 0o644 });
  runInFolder(folder, initdb, [
    ...['--pgdata', data, '--username', ADMINISTRATOR, '--pwfile', passwordFile, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--no-sync'],
  ]);

  const port = await freePort();
  const settings = {
    ...FAST_SETTINGS,
    port,
    listen_addresses: tls ? '127.0.0.1,127.0.0.2' : '127.0.0.1',
    ...(tls
      ? {
          ssl: 'on',
          ssl_cert_file: ownCopy(folder, tls.certFile),
          ssl_key_file: ownCopy(folder, tls.keyFile),
          ssl_ca_file: ownCopy(folder, tls.caFile),
        }
      : {}),
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
  };
  const urlOf = (account: string, database: string) => `postgres://${account}:${account}@127.0.0.1:${port}/${database}`;
  const administration = urlOf(ADMINISTRATOR, 'postgres');
  const url = urlOf(ACCOUNT, ACCOUNT);

  const server = await startServerProcess({
    binary: binary('postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    folder,
    // Fast shutdown: ends open connections.
    stopSignal: 'SIGINT',
    isReady: () => withConnection('pg', administration, (db) => db.raw('select 1')),
  });
  await withConnection('pg', administration, async (db) => {
    await db.raw(`create role ${ACCOUNT} login createdb password '${ACCOUNT}'`);
    await db.raw(`create database ${ACCOUNT} owner ${ACCOUNT}`);
  });

  let databases = 0;
  return Object.assign(server, {
    url,
    async createDatabase() {
      databases += 1;
      const name = `${ACCOUNT}_${databases}`;
      await withConnection('pg', url, (db) => db.raw(`create database ${name}`));
      return urlOf(ACCOUNT, name);
    },
    administer: (statement: string) =>
      withConnection('pg', administration, async (db) => {
        await db.raw(statement);
      }),
    async dump(databaseUrl = url) {
      const options = { maxBuffer: 1 << 30 };
      const { stdout } = await promisify(execFile)(binary('pg_dump'), ['--inserts', databaseUrl], options);
      return `${stdout}\n${decodedByteStrings(stdout)}`;
    },
  });
}

/** pg_dump writes bytea in hexadecimal, which would hide a plain secret from a text search. */
function decodedByteStrings(dump: string): string {
  const found = dump.matchAll(/\\x((?:[0-9a-f]{2})+)/g);
  return Array.from(found, ([, hex]) => Buffer.from(hex ?? '', 'hex').toString('latin1')).join('\n');
}
