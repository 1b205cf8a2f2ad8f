/** For people: two spaces, and lists of plain values on one line. */
export const prettyJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replaceAll(
    /\[\n\s+([^[\]{}]*?)\n\s+\]/g,
    (_, items: string) => `[${items.split(/,\n\s+/).join(', ')}]`,
  );
