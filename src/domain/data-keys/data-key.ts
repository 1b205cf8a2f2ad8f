import { SealError, type Sealer } from '../../kit/seal.ts';

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

/** The digest key is sealed so where every row that authorizes needs its MAC; see row-macs/row-window.ts. */
const ROWS_NEED_MACS = `${dataKeyContext('digest')}:rows-need-macs`;

/** The key itself, and for the digest key what its seal says of the rows. Throws SealError. */
export function openDataKey(
  { name, sealed }: Pick<DataKey, 'name' | 'sealed'>,
  sealer: Sealer,
): { key: Buffer; rowsNeedMacs: boolean } {
  try {
    return { key: sealer.open(sealed, dataKeyContext(name)), rowsNeedMacs: false };
  } catch (error) {
    if (name !== 'digest' || !(error instanceof SealError)) throw error;
    return { key: sealer.open(sealed, ROWS_NEED_MACS), rowsNeedMacs: true };
  }
}

export function sealDataKey(
  { name, key, rowsNeedMacs }: { name: DataKeyName; key: Buffer; rowsNeedMacs: boolean },
  sealer: Sealer,
): string {
  return sealer.seal(key, rowsNeedMacs && name === 'digest' ? ROWS_NEED_MACS : dataKeyContext(name));
}
