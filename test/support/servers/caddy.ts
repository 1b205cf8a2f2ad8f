import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findBinary } from './find-binary.ts';
import { createServerFolder, type ServerProcess, startServerProcess } from './server-process.ts';

export function caddyAvailable(): boolean {
  return findBinary('caddy') !== undefined;
}

/** @param options.caddyfile the whole configuration; one of its sites listens on `port` of 127.0.0.1 */
export async function startCaddy({ caddyfile, port }: { caddyfile: string; port: number }): Promise<ServerProcess> {
  const binary = findBinary('caddy');
  if (!binary) throw new Error('Caddy is not installed');
  const folder = createServerFolder('caddy', 'caddy');
  const configuration = join(folder.path, 'Caddyfile');
  writeFileSync(configuration, caddyfile, { mode: 0o644 });
  return startServerProcess({
    binary,
    args: ['run', '--adapter', 'caddyfile', '--config', configuration],
    folder,
    stopSignal: 'SIGTERM',
    isReady: () =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy();
          resolve();
        });
        socket.once('error', reject);
      }),
  });
}
