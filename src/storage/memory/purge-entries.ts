import type { BoundedMap } from '../../kit/cache.ts';

/** Deletes at most `limit` entries that are over; returns how many. */
export function purgeEntries<V extends object>(
  map: BoundedMap<V>,
  isOver: (value: V) => boolean,
  limit: number,
): number {
  const over: string[] = [];
  for (const [key, value] of map.entries()) {
    if (over.length >= limit) break;
    if (isOver(value)) over.push(key);
  }
  for (const key of over) map.delete(key);
  return over.length;
}
