import { invalid } from './read-input.ts';

/** The last item of a page, as an opaque text. */
export function cursorOf(last: { createdAt: number; id: string } | undefined): string | null {
  return last ? Buffer.from(JSON.stringify([last.createdAt, last.id])).toString('base64url') : null;
}

export function readCursor(cursor: string | undefined): { createdAt: number; id: string } | null {
  if (cursor === undefined) return null;
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (Number.isSafeInteger(createdAt) && typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) {
      return { createdAt: createdAt as number, id };
    }
  } catch {
    // Reported below with the same words as any other text that is not a cursor.
  }
  throw invalid([{ field: 'cursor', problem: 'is not one of ours; start with the first page' }]);
}
