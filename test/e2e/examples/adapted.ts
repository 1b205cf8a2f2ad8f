import { readFileSync } from 'node:fs';
import { EXAMPLES } from './example-api.ts';

/** An example's file with its addresses and names replaced; fails when it no longer has one of them. */
export function adapted(file: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce(
    (text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
      return text.replaceAll(from, to);
    },
    readFileSync(`${EXAMPLES}${file}`, 'utf8'),
  );
}
