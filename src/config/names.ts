import type { Env } from './env.ts';

/** A mistyped setting would silently leave a default in force, so unknown names are problems, with a suggestion. */
export function unknownNames(env: Env, known: readonly string[]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('GATEHOUSE_') && !name.startsWith('GATEHOUSE_TEST_') && !known.includes(name))
    .map((name) => `${name}: there is no such setting; did you mean ${nearest(name, known)}?`);
}

function nearest(name: string, known: readonly string[]): string {
  return known.reduce((best, candidate) => (distance(name, candidate) < distance(name, best) ? candidate : best));
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (char === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
