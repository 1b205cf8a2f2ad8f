import { AppError } from '../../kit/errors.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyStore, MadeKey } from './api-key-store.ts';
import type { ChangeKey } from './change-key.ts';

/**
 * Ends what a key made: keys, and keys that got their secret from it, and what those made, whatever became of the keys between.
 * Returns the keys that it ended.
 */
export type EndDescendants = (
  root: Pick<ApiKey, 'id' | 'ownerId'>,
  /** What becomes of each; null when it has ended already. */
  end: (key: ApiKey) => ApiKey | null,
) => Promise<ApiKey[]>;

/**
 * To be called after the root has ended: from then on it makes no key and no secret (see `ApiKeyStore.insertMade`), and everything
 * that it made is there to be seen. The same holds for each key that ends here, so the search goes on until it finds nothing new. One
 * that breaks off has only to be repeated.
 *
 * A key whose secret was made by one of these is one of these: the secret may be in the same hands. Of a key that was rotated again
 * since then, only the older secret ends.
 */
export function createEndDescendants({
  apiKeys,
  change,
}: {
  apiKeys: Pick<ApiKeyStore, 'listMadeByOthers'>;
  change: ChangeKey;
}): EndDescendants {
  return async (root, end) => {
    const ended: ApiKey[] = [];
    const family = new Set([root.id]);
    const older = new Set<string>();
    for (;;) {
      const made = await apiKeys.listMadeByOthers(root.ownerId);
      const fresh = newMembers(family, made);
      for (const id of fresh) {
        const { key, changed } = await change(id, null, ({ key: before }) => end(before)).catch(ifGone);
        if (changed && key) ended.push(key);
      }
      const withOlder = made.filter(
        ({ id, previousBy }) => isOf(family, previousBy) && !family.has(id) && !older.has(id),
      );
      for (const { id } of withOlder) {
        older.add(id);
        await change(id, null, ({ key: before }) =>
          isOf(family, before.previousBy) ? { ...before, previous: null, previousBy: null } : null,
        ).catch(ifGone);
      }
      if (fresh.length === 0 && withOlder.length === 0) return ended;
    }
  };
}

const isOf = (family: ReadonlySet<string>, maker: string | null): boolean => maker !== null && family.has(maker);

/** Deleted meanwhile, or a row that is not as we wrote it and is good for nothing: that one does not keep the others alive. */
function ifGone(error: unknown): { key: null; changed: false } {
  if (error instanceof AppError && error.code === 'not_found') return { key: null, changed: false };
  throw error;
}

/** Those that belong to the family and were not in it, which they are afterwards; each maker before what it made. */
function newMembers(family: Set<string>, made: readonly MadeKey[]): string[] {
  const byMaker = new Map<string, string[]>();
  for (const { id, createdBy, rotatedBy } of made) {
    for (const maker of [createdBy, rotatedBy]) {
      if (maker !== null) byMaker.set(maker, [...(byMaker.get(maker) ?? []), id]);
    }
  }
  const fresh: string[] = [];
  for (const open = [...family]; open.length > 0; ) {
    for (const id of byMaker.get(open.pop() ?? '') ?? []) {
      if (family.has(id)) continue;
      family.add(id);
      fresh.push(id);
      open.push(id);
    }
  }
  return fresh;
}
