import { AppError } from '../../kit/errors.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import type { ChangeKey } from './change-key.ts';

/** Ends what a key made, and what that made, whatever became of the keys between. Returns the keys that it ended. */
export type EndDescendants = (
  root: Pick<ApiKey, 'id' | 'ownerId'>,
  /** What becomes of each; null when it has ended already. */
  end: (key: ApiKey) => ApiKey | null,
) => Promise<ApiKey[]>;

/**
 * To be called after the root has ended: from then on it makes nothing (see `ApiKeyStore.insertMade`), and everything that it made
 * is there to be seen. The same holds for each key that ends here, so the search goes on until it finds nothing new. One that
 * breaks off has only to be repeated.
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
    const seen = new Set<string>();
    for (;;) {
      const fresh = descendantsOf(root.id, await apiKeys.listMadeByOthers(root.ownerId)).filter((id) => !seen.has(id));
      if (fresh.length === 0) return ended;
      for (const id of fresh) {
        seen.add(id);
        const { key, changed } = await change(id, null, ({ key: before }) => end(before)).catch(ifGone);
        if (changed && key) ended.push(key);
      }
    }
  };
}

/** Deleted meanwhile, or a row that is not as we wrote it and is good for nothing: that one does not keep the others alive. */
function ifGone(error: unknown): { key: null; changed: false } {
  if (error instanceof AppError && error.code === 'not_found') return { key: null, changed: false };
  throw error;
}

function descendantsOf(rootId: string, made: readonly Pick<ApiKey, 'id' | 'createdBy'>[]): string[] {
  const byMaker = Map.groupBy(made, ({ createdBy }) => createdBy);
  const found = new Set<string>();
  for (const open = [rootId]; open.length > 0; ) {
    for (const { id } of byMaker.get(open.pop() ?? '') ?? []) {
      if (found.has(id)) continue;
      found.add(id);
      open.push(id);
    }
  }
  return [...found];
}
