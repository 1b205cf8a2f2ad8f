import { findDemo, loadDemo } from '../../seeds/demo.ts';
import type { Env } from '../config/env.ts';
import { ConfigError } from '../config/problems.ts';
import { configWarnings } from '../config/warnings.ts';
import type { Services } from '../services.ts';

/** Before a web process serves: the demonstration data is loaded where it is wanted, and refused where strangers may come. */
export async function settleDemo(services: Services): Promise<void> {
  if (services.config.demo) await loadDemo(services);
  await refuseDemo(services);
}

/** Throws ConfigError. For processes that serve or work; the command line goes on, since it is what mends this. */
export async function refuseDemo(services: Services): Promise<void> {
  const { exposed } = services.config;
  if (exposed === null) return;
  const found = await findDemo(services);
  if (found.length === 0) return;
  throw new ConfigError([
    `DATABASE_URL: the database holds demonstration data, whose passwords are published, and ${exposed}: ` +
      `${found.map(({ what }) => what).join(', ')}. ` +
      `Run: ${found.map(({ mend }) => mend).join(' && ')}; or take an empty database`,
  ]);
}

/** What `config check` says too: allowed, and still worth a line for who reads the log. */
export function warnAboutConfig(env: Env, { config, log }: Pick<Services, 'config' | 'log'>): void {
  for (const warning of configWarnings(env, config)) log.warn(warning);
}
