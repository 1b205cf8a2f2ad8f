const SIZES = [100, 10, 1];

/**
 * Splits rows for statements of many rows. A statement of every length would be one more for the database to keep
 * prepared, so there are few lengths.
 */
export function* rowBatches<R>(rows: readonly R[]): Generator<readonly [R, ...R[]]> {
  let done = 0;
  for (const size of SIZES) {
    for (; rows.length - done >= size; done += size) yield rows.slice(done, done + size) as [R, ...R[]];
  }
}
