/** Reads a JSON column. The writer in the same file is what guarantees the type. */
export const fromJson = <T>(text: string): T => JSON.parse(text) as T;
