import type { Command } from 'commander';
import { ConfigError } from '../config/problems.ts';
import { answering, type Result } from './result.ts';
import { fields } from './text.ts';

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('settings: see docs/configuration.md');
  config
    .command('check')
    .description('Every problem of the environment at once, or the configuration in force; opens nothing')
    .action(answering(check));
}

async function check(): Promise<Result> {
  const [{ configure }, { printableConfig }, { configWarnings }, { readEnv }] = await Promise.all([
    import('../boot.ts'),
    import('../config/printable.ts'),
    import('../config/warnings.ts'),
    import('../config/env.ts'),
  ]);
  try {
    const given = (await configure(readEnv())).config;
    const config = printableConfig(given);
    const warnings = configWarnings(readEnv(), given);
    const notes = warnings.map((warning) => `warning: ${warning}`);
    return {
      json: { ok: true, config, warnings },
      text: `OK\n\n${fields(Object.fromEntries(flat(config)))}`,
      ...(notes.length > 0 ? { notes } : {}),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const notes = [error.message, 'See docs/configuration.md.'];
    return { json: { ok: false, problems: error.problems }, text: '', notes, ok: false };
  }
}

/** `paths.token` → its value, in the order of the record. */
function flat(record: object, prefix = ''): [string, string][] {
  return Object.entries(record).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return flat(value, `${prefix}${name}.`);
    return [[prefix + name, Array.isArray(value) ? value.join(', ') || 'none' : String(value ?? 'none')]];
  });
}
