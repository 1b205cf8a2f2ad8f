import { UsageError } from './failure.ts';

/** For an option that may be given several times. An empty value adds nothing, so `--origin ''` is an empty list. */
export const repeated = (value: string, before: string[] = []): string[] =>
  value.trim() === '' ? before : [...before, value.trim()];

/** The same for names separated by spaces, as OAuth writes scopes. */
export const words = (value: string, before: string[] = []): string[] => [
  ...before,
  ...value.split(/\s+/).filter(Boolean),
];

/** What was not given must not overwrite what is there. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** `24h` as seconds. */
export async function durationSeconds(option: string, text: string): Promise<number> {
  const { parseDuration } = await import('../config/fields.ts');
  const seconds = parseDuration(text);
  if (seconds === null)
    throw new UsageError(`${option}: ${text} is not a duration; use for instance 30s, 15m, 24h, 7d or 0`);
  return seconds;
}

/** Every record of a store that lists page by page, in its order. */
export async function everyPage<T>(
  list: (page: { after?: string; limit: number }) => Promise<T[]>,
  keyOf: (record: T) => string,
): Promise<T[]> {
  const limit = 500;
  const all: T[] = [];
  for (let page = await list({ limit }); ; page = await list({ after: keyOf(all.at(-1) as T), limit })) {
    all.push(...page);
    if (page.length < limit) return all;
  }
}
