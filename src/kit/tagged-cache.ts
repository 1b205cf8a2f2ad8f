import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';

export interface Cached<V> {
  value: V;
  /** When its load began, milliseconds since the epoch: what is said of it is that old. */
  readAtMs: number;
}

export interface TaggedCache<V> {
  /** What is known under `key`; null when nothing is, whether or not there is something. */
  known(key: string): Cached<V> | null;
  /** What is known under `key`, or what `load` finds. Null when there is nothing; that is remembered for a moment only. */
  find(key: string, load: () => Promise<V | null>): Promise<Cached<V> | null>;
  /** The same, from `load` in any case: what is known may be older than what is asked about. */
  renew(key: string, load: () => Promise<V | null>): Promise<Cached<V> | null>;
  /** Drops every entry that has this tag. */
  forget(tag: string): void;
}

const DOUBTFUL_MAX = 1000;

/**
 * Read-through and bounded, in number and in age. Entries carry tags, so that one message can drop all that it concerns. What
 * was being loaded while anything was dropped is used once and not kept: it may have been read before the change.
 * Absent keys and values that are not `worthKeeping` have a small room of their own, for a moment: a flood of made-up ones
 * cannot push out what exists.
 */
export function createTaggedCache<V>({
  max,
  ttlMs,
  tagsOf,
  worthKeeping = () => true,
  doubtfulMs,
  clock,
}: {
  max: number;
  ttlMs: number;
  tagsOf: (value: V) => readonly string[];
  worthKeeping?: (value: V) => boolean;
  /** How long "there is nothing" or "no" is believed: what was just created must be found. 0: not at all. */
  doubtfulMs: number;
  clock: Clock;
}): TaggedCache<V> {
  const byTag = new Map<string, Set<string>>();
  // Room for all of them is taken at once, so not before the first.
  let kept: LRUCache<string, Cached<V>> | undefined;
  const open = () =>
    new LRUCache<string, Cached<V>>({ max, ttl: ttlMs, dispose: ({ value }, key) => untag(value, key) });
  const doubtful = new LRUCache<string, { entry: Cached<V> | null }>({
    max: DOUBTFUL_MAX,
    ttl: Math.max(1, doubtfulMs),
  });
  const loading = new Map<string, Promise<Cached<V> | null>>();
  let drops = 0;

  function untag(value: V, key: string): void {
    for (const tag of tagsOf(value)) {
      const keys = byTag.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) byTag.delete(tag);
    }
  }

  function keep(key: string, entry: Cached<V>): void {
    // The age of what was read counts from the beginning of the read.
    const ttl = ttlMs - Math.max(0, clock.nowMs() - entry.readAtMs);
    if (ttl <= 0) return;
    kept ??= open();
    kept.set(key, entry, { ttl });
    for (const tag of tagsOf(entry.value)) {
      const keys = byTag.get(tag);
      if (keys) keys.add(key);
      else byTag.set(tag, new Set([key]));
    }
  }

  async function read(key: string, load: () => Promise<V | null>): Promise<Cached<V> | null> {
    const readAtMs = clock.nowMs();
    const before = drops;
    try {
      const value = await load();
      const entry = value === null ? null : { value, readAtMs };
      if (before === drops) {
        if (entry && worthKeeping(entry.value)) keep(key, entry);
        else if (doubtfulMs > 0) doubtful.set(key, { entry });
      }
      return entry;
    } finally {
      // After a drop the map was cleared, and what stands there now is a later load.
      if (before === drops) loading.delete(key);
    }
  }

  return {
    known: (key) => kept?.get(key) ?? null,
    async find(key, load) {
      const known = kept?.get(key);
      if (known) return known;
      const doubt = doubtful.get(key);
      if (doubt) return doubt.entry;
      // Callers that miss together share one load, unless something was dropped since it began.
      const underWay = loading.get(key);
      if (underWay) return underWay;
      const reading = read(key, load);
      loading.set(key, reading);
      return reading;
    },
    async renew(key, load) {
      const entry = await read(key, load);
      if (!entry) kept?.delete(key);
      return entry;
    },
    forget(tag) {
      drops += 1;
      loading.clear();
      doubtful.clear();
      for (const key of [...(byTag.get(tag) ?? [])]) kept?.delete(key);
    },
  };
}
