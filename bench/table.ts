/** One target and what was measured against it. */
export interface Finding {
  name: string;
  target: string;
  measured: string;
  passed: boolean;
}

export const atMost = (name: string, limit: number, value: number, unit = ''): Finding => ({
  name,
  target: `<= ${limit}${unit}`,
  measured: `${round(value)}${unit}`,
  passed: value <= limit,
});

export const atLeast = (name: string, limit: number, value: number, unit = '', note = ''): Finding => ({
  name,
  target: `>= ${limit.toFixed(1)}${unit}`,
  measured: `${value.toFixed(2)}${unit}${note}`,
  passed: value >= limit,
});

const round = (value: number): number => Math.round(value * 100) / 100;

export function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ name, target, measured, passed }) => [name, target, measured, passed ? 'pass' : 'FAIL']);
  return table(['', 'target', 'measured', ''], rows);
}

/** Columns of text, as wide as they need to be; the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    widths.map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width))).join('  ');
  return `${[line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n')}\n`;
}
