export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError('there are no values');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] as number;
}

export const median = (values: readonly number[]): number => percentile(values, 50);
