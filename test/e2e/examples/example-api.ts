/** The example APIs as their developers run them: a process each, configured by its environment. */
import { fileURLToPath } from 'node:url';
import { requirePart } from '../../support/requirements.ts';
import { createServerFolder, startServerProcess } from '../../support/servers/server-process.ts';

export const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
export const KINDS = ['express', 'koa', 'fastapi'] as const;
export type Kind = (typeof KINDS)[number];
export type Mode = 'local' | 'remote' | 'auto';

export interface ExampleApi {
  url: string;
  stop(): Promise<void>;
}

interface ExampleSettings {
  issuer: string;
  resource: string;
  /** That of the resource. */
  client: { id: string; secret?: string };
  mode: Mode;
  port: number;
}

/** For a `before` hook. */
export async function startExampleApi(
  context: Mocha.Context,
  kind: Kind,
  { issuer, resource, client, mode, port }: ExampleSettings,
): Promise<ExampleApi> {
  const env = {
    ...{ ISSUER: issuer, RESOURCE: resource, MODE: mode },
    ...{ CLIENT_ID: client.id, CLIENT_SECRET: client.secret ?? '' },
  };
  if (kind === 'fastapi') {
    const startFastapi = await requirePart('fastapi', context);
    return startFastapi({ files: `${EXAMPLES}fastapi`, env, port });
  }
  const url = `http://127.0.0.1:${port}`;
  const server = await startServerProcess({
    binary: '/usr/bin/env',
    args: [
      ...Object.entries({ ...env, PORT: String(port) }).map(([name, value]) => `${name}=${value}`),
      process.execPath,
      `${EXAMPLES}${kind}/server.ts`,
    ],
    // As whoever runs the tests: only they are sure to read this folder.
    folder: createServerFolder(kind, 'root'),
    stopSignal: 'SIGTERM',
    isReady: async () => {
      await fetch(`${url}/health`);
    },
  });
  return Object.assign(server, { url });
}
