import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { findBinary } from './find-binary.ts';
import { createServerFolder, ownCopy, runInFolder, type ServerTls, startServerProcess } from './server-process.ts';
import { ACCOUNT, type SqlServer, withConnection } from './sql-server.ts';

const ADMINISTRATOR = 'administrator';

export function mariadbAvailable(): boolean {
  return findBinary('mariadbd') !== undefined && findBinary('mariadb-install-db') !== undefined;
}

/** @param options.tls it speaks TLS too, and listens on all addresses. */
export async function startMariadb({ tls }: { tls?: ServerTls } = {}): Promise<SqlServer> {
  const mariadbd = findBinary('mariadbd');
  const installDb = findBinary('mariadb-install-db');
  if (!mariadbd || !installDb) throw new Error('MariaDB is not installed');

  const folder = createServerFolder('mariadb', 'mysql');
  const data = join(folder.path, 'data');
  runInFolder(folder, installDb, [
    ...['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    ...['--skip-name-resolve', '--innodb-log-file-size=16M'],
  ]);

  // Run at every start. The account owns its databases and is no administrator; `_` and `%` are wildcards here.
  const accountFile = join(folder.path, 'account.sql');
  writeFileSync(
    accountFile,
    [
      `CREATE USER IF NOT EXISTS '${ACCOUNT}'@'%' IDENTIFIED BY '${ACCOUNT}';`,
      `GRANT ALL PRIVILEGES ON \`${ACCOUNT}%\`.* TO '${ACCOUNT}'@'%';`,
      `CREATE USER IF NOT EXISTS '${ADMINISTRATOR}'@'%' IDENTIFIED BY '${ADMINISTRATOR}';`,
      `GRANT ALL PRIVILEGES ON *.* TO '${ADMINISTRATOR}'@'%';`,
      `CREATE DATABASE IF NOT EXISTS ${ACCOUNT};`,
    ].join('\n'),
    { mode: 0o644 },
  );

  const port = await freePort();
  const urlOf = (database: string) => `mysql://${ACCOUNT}:${ACCOUNT}@127.0.0.1:${port}/${database}`;
  const url = urlOf(ACCOUNT);
  const server = await startServerProcess({
    binary: mariadbd,
    args: [
      ...['--no-defaults', `--datadir=${data}`, `--init-file=${accountFile}`, `--pid-file=${folder.path}/pid`],
      ...[
        `--bind-address=${tls ? '0.0.0.0' : '127.0.0.1'}`,
        `--port=${port}`,
        `--socket=${folder.path}/socket`,
        '--skip-name-resolve',
      ],
      // What Debian, Ubuntu and the official image set; the server's own default is latin1.
      ...['--character-set-server=utf8mb4', '--collation-server=utf8mb4_general_ci'],
      // Tests may lose what only a power failure would lose. A commit still survives the death of the server.
      ...['--innodb-flush-log-at-trx-commit=2', '--innodb-flush-method=nosync', '--skip-log-bin'],
      ...['--innodb-log-file-size=16M', '--innodb-buffer-pool-size=64M', '--max-connections=200'],
      ...(tls
        ? [
            `--ssl-cert=${ownCopy(folder, tls.certFile)}`,
            `--ssl-key=${ownCopy(folder, tls.keyFile)}`,
            `--ssl-ca=${ownCopy(folder, tls.caFile)}`,
          ]
        : []),
    ],
    folder,
    stopSignal: 'SIGTERM',
    isReady: () => withConnection('mysql2', url, (db) => db.raw('select 1')),
  });

  let databases = 0;
  return Object.assign(server, {
    url,
    async createDatabase() {
      databases += 1;
      const name = `${ACCOUNT}_${databases}`;
      await withConnection('mysql2', url, (db) => db.raw(`create database ${name}`));
      return urlOf(name);
    },
    administer: (statement: string) =>
      withConnection('mysql2', `mysql://${ADMINISTRATOR}:${ADMINISTRATOR}@127.0.0.1:${port}/`, async (db) => {
        await db.raw(statement);
      }),
    async dump(databaseUrl = url) {
      const client = findBinary('mariadb-dump', 'mysqldump');
      if (!client) throw new Error('mariadb-dump is not installed');
      const { pathname } = new URL(databaseUrl);
      const { stdout } = await promisify(execFile)(
        client,
        [
          ...['--no-defaults', '--protocol=tcp', '--host=127.0.0.1', `--port=${port}`],
          ...[`--user=${ACCOUNT}`, `--password=${ACCOUNT}`, '--skip-extended-insert', '--single-transaction'],
          pathname.slice(1),
        ],
        // Binary columns come as raw bytes: latin1 keeps them one to one.
        { maxBuffer: 1 << 30, encoding: 'latin1' },
      );
      return stdout;
    },
  });
}
