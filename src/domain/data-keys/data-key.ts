/**
 * Random 256-bit keys that live in the database, sealed under the key-encryption ring with the context `data-key:<name>`.
 * Rotating the ring re-seals these rows and nothing else has to change.
 */
export const DATA_KEY_NAMES = ['digest', 'seal', 'cookies'] as const;
export type FixedDataKeyName = (typeof DATA_KEY_NAMES)[number];

/** A pepper of API keys, numbered from 1: new digests are made with the highest number, older ones still verify. */
export type PepperName = `api-key.${number}`;
export type DataKeyName = FixedDataKeyName | PepperName;

export interface DataKey {
  name: DataKeyName;
  sealed: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** What the sealed text of a data key is bound to: two rows cannot be exchanged for each other. */
export const dataKeyContext = (name: DataKeyName): string => `data-key:${name}`;

/** The number of a pepper; null for the name of anything else. */
export function pepperNumber(name: string): number | null {
  const digits = /^api-key\.([1-9][0-9]{0,5})$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}
