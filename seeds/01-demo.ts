import { boot } from '../src/boot.ts';
import { readEnv } from '../src/config/env.ts';
import { loadDemo } from './demo.ts';

/** For `knex seed:run`. It needs the keys as well as the tables, so it opens the configured database itself. */
export async function seed(): Promise<void> {
  await using services = await boot(readEnv());
  await loadDemo(services);
}
