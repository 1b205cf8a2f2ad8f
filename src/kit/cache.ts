import { LRUCache } from 'lru-cache';

export interface Cache<V> {
  find(key: string): Promise<V | null>;
  forget(key: string): void;
}

/**
 * Read-through, bounded and short-lived. Callers of one key that miss together share one load. Misses and failures are not
 * kept, so that what was just created is found at once.
 */
export function createCache<V extends object>({
  max,
  ttlMs,
  load,
}: {
  max: number;
  ttlMs: number;
  load: (key: string) => Promise<V | null>;
}): Cache<V> {
  const entries = new LRUCache<string, Promise<V | null>>({ max, ttl: ttlMs });
  return {
    find(key) {
      const known = entries.get(key);
      if (known) return known;
      const loading = load(key);
      entries.set(key, loading);
      const drop = (): void => {
        if (entries.peek(key) === loading) entries.delete(key);
      };
      loading.then((value) => value ?? drop(), drop);
      return loading;
    },
    forget: (key) => void entries.delete(key),
  };
}

/** A bounded set whose members leave by themselves. */
export function createExpiringSet({ max, ttlMs }: { max: number; ttlMs: number }) {
  const entries = new LRUCache<string, true>({ max, ttl: ttlMs });
  return {
    has: (key: string): boolean => entries.has(key),
    add: (key: string): void => void entries.set(key, true),
    delete: (key: string): boolean => entries.delete(key),
  };
}
