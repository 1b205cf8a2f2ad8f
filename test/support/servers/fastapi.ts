import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { freePort } from '../free-port.ts';
import { createServerFolder, type ServerProcess, startServerProcess } from './server-process.ts';

/** Debian's own, with its own packages: another Python on PATH has others. */
const PYTHON = '/usr/bin/python3';

export const fastapiAvailable = (): boolean =>
  spawnSync(PYTHON, ['-c', 'import fastapi, uvicorn, httpx, jwt, cryptography'], { stdio: 'ignore' }).status === 0;

/** @param options.files what is copied to where it runs: a folder with `server.py`, whose `app` answers /health */
export async function startFastapi({
  files,
  env,
  port,
}: {
  files: string;
  env: Record<string, string>;
  port?: number;
}): Promise<ServerProcess & { url: string }> {
  const folder = createServerFolder('fastapi', 'nobody');
  cpSync(files, folder.path, { recursive: true });
  const listensOn = port ?? (await freePort());
  const url = `http://127.0.0.1:${listensOn}`;
  const server = await startServerProcess({
    binary: '/usr/bin/env',
    args: [
      ...Object.entries({ PYTHONDONTWRITEBYTECODE: '1', ...env }).map(([name, value]) => `${name}=${value}`),
      ...[PYTHON, '-m', 'uvicorn', 'server:app', '--host', '127.0.0.1', '--port', String(listensOn)],
      ...['--no-access-log'],
    ],
    folder,
    stopSignal: 'SIGTERM',
    isReady: async () => {
      await fetch(`${url}/health`);
    },
  });
  return Object.assign(server, { url });
}
