/**
 * Reads a JSON column. The writer in the same file is what guarantees the type. What is no JSON was written by somebody else, and is
 * undefined: no row with such a value may be used (see row-macs.ts), and no list fails because of it.
 */
export function fromJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined as T;
  }
}
