import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { ALREADY_IMPORTED, MAX_IMPORT } from '../domain/api-keys/import-keys.ts';
import type { ImportedApiKey, ManageApiKeys } from '../domain/api-keys/manage-api-keys.ts';
import { parseImportLine } from '../domain/api-keys/parse-import-line.ts';
import { UsageError } from './failure.ts';
import type { Result } from './result.ts';
import { count } from './text.ts';

/** Reads line by line and imports as many at a time as one call takes: the file may be of any size. */
export async function importApiKeys(
  { importMany }: Pick<ManageApiKeys, 'importMany'>,
  file: string | undefined,
): Promise<Result> {
  const done = { imported: 0, alreadyImported: 0 };
  const problems: { line: number; problem: string }[] = [];
  let batch: { line: number; key: ImportedApiKey }[] = [];

  async function flush(): Promise<void> {
    const outcomes = batch.length > 0 ? await importMany(batch.map(({ key }) => key)) : [];
    for (const outcome of outcomes) {
      if (!('problem' in outcome)) done.imported += 1;
      else if (outcome.problem === ALREADY_IMPORTED) done.alreadyImported += 1;
      else problems.push({ line: batch[outcome.line - 1]?.line ?? 0, problem: outcome.problem });
    }
    batch = [];
  }

  let line = 0;
  for await (const text of linesOf(file)) {
    line += 1;
    if (text.trim() === '') continue;
    const parsed = parseImportLine(text);
    if ('problem' in parsed) problems.push({ line, problem: parsed.problem });
    else batch.push({ line, key: parsed.key });
    if (batch.length === MAX_IMPORT) await flush();
  }
  await flush();

  problems.sort((a, b) => a.line - b.line);
  const summary = [
    `Imported ${count(done.imported, 'key')}.`,
    done.alreadyImported > 0 ? `${count(done.alreadyImported, 'key')} had been imported before.` : '',
    problems.length > 0 ? `${count(problems.length, 'line')} failed:` : '',
  ].filter(Boolean);
  return {
    json: { ...done, problems },
    text: [summary.join(' '), ...problems.map(({ line: at, problem }) => `  line ${at}: ${problem}`)].join('\n'),
    ok: problems.length === 0,
  };
}

async function* linesOf(file: string | undefined): AsyncIterable<string> {
  if (file === undefined) {
    yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
    return;
  }
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} cannot be read (${error.code ?? 'unknown'})`);
  });
  await using _closing = handle;
  yield* handle.readLines();
}
