import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { Env } from '../config/env.ts';
import { answering } from './result.ts';
import { fields } from './text.ts';

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('settings: see docs/configuration.md');
  config
    .command('check')
    .description('Every problem of the environment at once, or the configuration in force; opens nothing')
    .action(answering(check));
}

async function check() {
  const [{ printableConfig }, { readEnv }] = await Promise.all([
    import('../config/printable.ts'),
    import('../config/env.ts'),
  ]);
  const { config, problems } = await readConfig(readEnv());
  if (!config || problems.length > 0) {
    const notes = [...problems.map((problem) => `error: ${problem}`), 'See docs/configuration.md.'];
    return { json: { ok: false, problems }, text: '', notes, ok: false };
  }
  const printable = printableConfig(config);
  return { json: { ok: true, config: printable }, text: `OK\n\n${fields(Object.fromEntries(flat(printable)))}` };
}

/** The settings, and what is wrong with them or with the secrets. */
export async function readConfig(env: Env): Promise<{ config: Config | null; problems: readonly string[] }> {
  const [{ parseConfig }, { secretProblems }, { ConfigError }] = await Promise.all([
    import('../config/config.ts'),
    import('../config/secrets.ts'),
    import('../config/problems.ts'),
  ]);
  const problems = secretProblems(env, { production: env['NODE_ENV'] === 'production' });
  try {
    return { config: parseConfig(env), problems };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: null, problems: [...error.problems, ...problems] };
  }
}

/** `paths.token` → its value, in the order of the record. */
function flat(record: object, prefix = ''): [string, string][] {
  return Object.entries(record).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return flat(value, `${prefix}${name}.`);
    return [[prefix + name, Array.isArray(value) ? value.join(', ') || 'none' : String(value ?? 'none')]];
  });
}
