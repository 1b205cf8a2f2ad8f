import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { findBinary } from './find-binary.ts';
import { createServerFolder, type ServerProcess, startServerProcess } from './server-process.ts';

export function nginxAvailable(): boolean {
  return findBinary('nginx') !== undefined;
}

/**
 * An nginx with one virtual server.
 *
 * @param options.locations what stands inside the `server` block: `location / { proxy_pass …; }` and the like
 * @param options.http what else stands inside the `http` block: further servers, their upstreams
 */
export async function startNginx({
  locations = '',
  http = '',
}: {
  locations?: string;
  http?: string;
}): Promise<ServerProcess & { url: string }> {
  const binary = findBinary('nginx');
  if (!binary) throw new Error('nginx is not installed');
  const folder = createServerFolder('nginx', 'www-data');
  const port = await freePort();
  const temporaryPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const configuration = join(folder.path, 'nginx.conf');
  writeFileSync(
    configuration,
    `daemon off;
worker_processes 1;
pid ${folder.path}/pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  ${temporaryPaths.map((name) => `${name}_temp_path ${folder.path}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    ${locations}
  }
  ${http}
}
`,
    { mode: 0o644 },
  );
  const server = await startServerProcess({
    binary,
    args: ['-p', folder.path, '-c', configuration, '-e', 'stderr'],
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
  return Object.assign(server, { url: `http://127.0.0.1:${port}` });
}
