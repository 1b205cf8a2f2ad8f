import type { Command } from 'commander';
import { answering } from './result.ts';
import { withDatabase } from './services.ts';
import { count, isoOrNull, table, time } from './text.ts';

export function addMigrateCommands(program: Command): void {
  const migrate = program.command('migrate').description('tables of the database; needs no secret');
  migrate.command('status').description('Which migrations are applied').action(answering(status));
  migrate.command('up').description('Apply what is missing; waits while another process does').action(answering(up));
}

const status = () =>
  withDatabase(async ({ migrations }) => {
    const all = await migrations.status();
    const rows = all.map(({ name, appliedAt }) => [name, appliedAt === null ? 'not applied' : time(appliedAt)]);
    const pending = all.filter(({ appliedAt }) => appliedAt === null).length;
    const summary =
      pending === 0 ? 'The tables are up to date.' : `${count(pending, 'migration')} to apply: gatehouse migrate up`;
    return {
      json: all.map(({ name, appliedAt }) => ({ name, appliedAt: isoOrNull(appliedAt) })),
      text: `${table(['migration', 'applied'], rows, 'There are no migrations.')}\n\n${summary}`,
    };
  });

const up = () =>
  withDatabase(async ({ migrations }) => {
    const applied = await migrations.up();
    const text =
      applied.length === 0
        ? 'The tables were up to date.'
        : `Applied:\n${applied.map((name) => `  ${name}`).join('\n')}`;
    return { json: { applied }, text };
  });
