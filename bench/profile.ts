import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createCredentials } from './credentials.ts';
import { runLoad } from './load.ts';
import { oauthRequests } from './oauth-requests.ts';
import { prepare } from './prepare.ts';
import { startGatehouse } from './servers.ts';
import type { Setting } from './targets.ts';
import { verifyRequests } from './verify-requests.ts';

/** Runs each kind of request against a process of its own under the V8 profiler. */
export async function profile(
  { postgres, redisUrl, print }: Setting,
  { folder, seconds }: { folder: string; seconds: number },
): Promise<void> {
  const databases = { databaseUrl: postgres.url, redisUrl };
  const fixture = await prepare(databases);
  const credentials = await createCredentials(databases, { keys: 1 });
  for (const kind of [...oauthRequests(fixture), ...verifyRequests(fixture, credentials)]) {
    const into = join(folder, kind.name.replaceAll(/\W+/g, '-'));
    mkdirSync(into, { recursive: true });
    const gatehouse = await startGatehouse(databases, { nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${into}`] });
    await runLoad(gatehouse, await kind.load(gatehouse), seconds);
    await gatehouse.stop();
    print(`${kind.name}: ${into}`);
  }
}
