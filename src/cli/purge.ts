import type { Command } from 'commander';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { fields } from './text.ts';

export function addPurgeCommand(program: Command): void {
  program
    .command('purge')
    .description('Run every job once: delete what has expired, rotate what is due. Servers do this by themselves.')
    .action(answering(purge));
}

const purge = () =>
  withServices(async ({ jobs }) => {
    const done = await jobs.runAll();
    const counted = Object.entries(done).map(([name, number]) => [name, String(number)] as const);
    return { json: done, text: fields(Object.fromEntries(counted)) };
  });
