/**
 * Random 256-bit keys that live in the database, sealed under the key-encryption ring with the context `data-key:<name>`.
 * Rotating the ring re-seals these rows and nothing else has to change.
 */
export const DATA_KEY_NAMES = ['digest', 'seal', 'cookies'] as const;
export type DataKeyName = (typeof DATA_KEY_NAMES)[number];

export interface DataKey {
  name: DataKeyName;
  sealed: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}
