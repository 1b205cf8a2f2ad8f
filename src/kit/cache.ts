import { LRUCache } from 'lru-cache';

/** A bounded map; the entry that was used least recently makes room. Nothing leaves by age. */
export interface BoundedMap<V extends object> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): boolean;
  /** The least recently used first. Deleting while going through them is allowed. */
  entries(): Iterable<[string, V]>;
}

export function createBoundedMap<V extends object>({ max }: { max: number }): BoundedMap<V> {
  // Room for all of them is taken at once, so not before the first.
  let entries: LRUCache<string, V> | undefined;
  return {
    get: (key) => entries?.get(key),
    set(key, value) {
      entries ??= new LRUCache<string, V>({ max });
      entries.set(key, value);
    },
    delete: (key) => entries?.delete(key) ?? false,
    entries: () => (entries?.rentries() ?? []) as Iterable<[string, V]>,
  };
}

/** A bounded set whose members leave by themselves. */
export function createExpiringSet({ max, ttlMs }: { max: number; ttlMs: number }) {
  // As above: not before the first.
  let entries: LRUCache<string, true> | undefined;
  return {
    has: (key: string): boolean => entries?.has(key) ?? false,
    add(key: string): void {
      entries ??= new LRUCache<string, true>({ max, ttl: ttlMs });
      entries.set(key, true);
    },
    delete: (key: string): boolean => entries?.delete(key) ?? false,
  };
}
