import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { findBinary } from './find-binary.ts';
import { createServerFolder, type ServerProcess, startServerProcess } from './server-process.ts';
import { withConnection } from './sql-server.ts';

export function pgbouncerAvailable(): boolean {
  return findBinary('pgbouncer') !== undefined;
}

/** As Debian ships it, but for the mode: in front of the database of this address, with few connections to it. */
export async function startPgbouncer({
  databaseUrl,
  mode,
}: {
  databaseUrl: string;
  mode: 'session' | 'transaction';
}): Promise<ServerProcess & { url: string }> {
  const binary = findBinary('pgbouncer');
  if (!binary) throw new Error('pgbouncer is not installed');
  const { hostname, port: behind, pathname, username, password } = new URL(databaseUrl);
  const folder = createServerFolder('pgbouncer', 'postgres');
  const port = await freePort();
  const users = join(folder.path, 'users');
  const configuration = join(folder.path, 'pgbouncer.ini');
  writeFileSync(users, `"${username}" "${password}"\n`, { mode: 0o644 });
  writeFileSync(
    configuration,
    `[databases]
pooled = host=${hostname} port=${behind} dbname=${pathname.slice(1)} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = trust
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${mode === 'session' ? 20 : 3}
unix_socket_dir =
`,
    { mode: 0o644 },
  );
  const url = `postgres://${username}@127.0.0.1:${port}/pooled`;
  const server = await startServerProcess({
    binary,
    args: ['-q', configuration],
    folder,
    stopSignal: 'SIGINT',
    isReady: () => withConnection('pg', url, (db) => db.raw('select 1')),
  });
  return Object.assign(server, { url });
}
