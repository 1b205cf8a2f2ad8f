import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runLoad } from './load.ts';
import { prepare } from './prepare.ts';
import { startGatehouse } from './servers.ts';
import type { Setting } from './targets.ts';
import { REQUESTS, requestLoad } from './throughput.ts';

/** Runs each kind of request against a process of its own under the V8 profiler. */
export async function profile(
  { postgres, redisUrl, print }: Setting,
  { folder, seconds }: { folder: string; seconds: number },
): Promise<void> {
  const databases = { databaseUrl: postgres.url, redisUrl };
  const fixture = await prepare(databases);
  for (const name of REQUESTS) {
    const into = join(folder, name.replaceAll(/\W+/g, '-'));
    mkdirSync(into, { recursive: true });
    const gatehouse = await startGatehouse(databases, { nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${into}`] });
    await runLoad(gatehouse, await requestLoad(name, gatehouse, fixture, seconds));
    await gatehouse.stop();
    print(`${name}: ${into}`);
  }
}
