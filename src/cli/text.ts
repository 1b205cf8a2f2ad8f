/** Nothing that was stored may steer the terminal of whoever lists it. */
const clean = (text: string): string => text.replaceAll(/\p{Cc}/gu, '\u{fffd}');

/** Columns as wide as their widest cell; the header in capitals. `none` stands for an empty table. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return none;
  const lines = [header.map((title) => title.toUpperCase()), ...rows.map((row) => row.map(clean))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One `label  value` per line; a list takes a line per item. Empty values are left out. */
export function fields(values: Readonly<Record<string, string | readonly string[] | null>>): string {
  const present = Object.entries(values)
    .map(([label, value]) => ({ label, lines: [value ?? []].flat() }))
    .filter(({ lines }) => lines.length > 0);
  const width = Math.max(...present.map(({ label }) => label.length));
  return present
    .flatMap(({ label, lines }) =>
      lines.map((line, index) => `  ${(index ? '' : label).padEnd(width)}  ${clean(line)}`),
    )
    .join('\n');
}

/** ISO 8601, for JSON. */
export const iso = (atMs: number): string => new Date(atMs).toISOString();
export const isoOrNull = (atMs: number | null): string | null => (atMs === null ? null : iso(atMs));

/** `2026-01-31 09:30 UTC`, for people. */
export const time = (atMs: number): string => `${iso(atMs).slice(0, 16).replace('T', ' ')} UTC`;

/** `1 key`, `2 keys` */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
