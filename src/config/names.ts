import type { Env } from './env.ts';

/** A mistyped setting would silently leave a default in force, so unknown names are problems, with a suggestion. */
export function unknownNames(env: Env, known: readonly string[]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('GATEHOUSE_') && !name.startsWith('GATEHOUSE_TEST_') && !known.includes(name))
    .map((name) => `${name}: there is no such setting; did you mean ${nearest(name, known)}?`);
}

/** Compared without the prefix: GATEHOUSE_PORT means PORT. */
function nearest(name: string, known: readonly string[]): string {
  const bare = (text: string): string => text.replace(/^GATEHOUSE_/, '');
  const far = (candidate: string): number => distance(bare(name), bare(candidate));
  return known.reduce((best, candidate) => (far(candidate) < far(best) ? candidate : best));
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
