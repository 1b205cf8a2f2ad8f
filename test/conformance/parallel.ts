/** Starts `count` calls at once and returns all their results; one that rejects fails the test. */
export const parallel = <T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => call(index)));

export const countTrue = (results: readonly boolean[]): number => results.filter(Boolean).length;

/** What a store must give back unchanged: other scripts, emoji, quotes, escapes, a NUL inside JSON. */
export const AWKWARD_TEXT = 'Zoë "O\'Neil" \\ 日本語 😀 \u2028 é é';
export const AWKWARD_JSON = JSON.stringify({ text: AWKWARD_TEXT, nul: '\u0000', half: '\ud83d', tab: '\t' });
