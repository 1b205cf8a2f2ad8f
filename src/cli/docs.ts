import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { answering } from './result.ts';

/** For whoever changes a setting or an error code; a test fails while the pages differ from the tables. */
export function addDocsCommand(program: Command): void {
  program
    .command('docs <folder>', { hidden: true })
    .description('Write configuration.md and errors.md')
    .action(answering(write));
}

async function write(_options: object, folder: string) {
  const [{ configurationPage }, { errorsPage }] = await Promise.all([
    import('../config/document.ts'),
    import('../kit/error-docs.ts'),
  ]);
  const pages = { 'configuration.md': configurationPage(), 'errors.md': errorsPage() };
  for (const [name, page] of Object.entries(pages)) writeFileSync(join(folder, name), page);
  const written = Object.keys(pages).map((name) => join(folder, name));
  return { json: { written }, text: written.join('\n') };
}
