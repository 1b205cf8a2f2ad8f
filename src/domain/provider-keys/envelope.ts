import { randomBytes } from '../../kit/random.ts';
import { openUnder, sealUnder, type WrappedKey, type WrappingRing } from '../../kit/seal.ts';
import type { ProviderKey } from './provider-key.ts';

/** The purpose of the wrapping ring: what wraps provider keys opens nothing else, and nothing else opens them. */
export const PROVIDER_KEY_PURPOSE = 'provider-key';

type Envelope = Pick<ProviderKey, 'sealedValue' | 'wrappedKey' | 'wrappedBy'>;
/** Where a value belongs. In any other row, of another owner or provider, or as another version it does not open. */
type Place = Pick<ProviderKey, 'ownerId' | 'id' | 'provider' | 'version'>;

const valueContext = ({ ownerId, id, provider, version }: Place): string =>
  `v1|${ownerId}|${id}|${provider}|${version}`;
const keyContext = ({ id }: Pick<ProviderKey, 'id'>): string => `v1|${id}`;

/** A fresh data key for each version: none ever encrypts twice. */
export function sealValue(value: string, place: Place, ring: WrappingRing): Envelope {
  const dataKey = randomBytes(32);
  try {
    return { sealedValue: sealUnder(dataKey, value, valueContext(place)), ...ring.wrap(dataKey, keyContext(place)) };
  } finally {
    dataKey.fill(0);
  }
}

/** Throws SealError when the ring does not open it, or anything of it was changed. */
export function openValue(key: Envelope & Place, ring: WrappingRing): string {
  return withValue(key, ring, (value) => value.toString());
}

export function isReadable(key: Envelope & Place, ring: WrappingRing): boolean {
  try {
    return withValue(key, ring, () => true);
  } catch {
    return false;
  }
}

function withValue<T>(key: Envelope & Place, ring: WrappingRing, use: (value: Buffer) => T): T {
  const dataKey = ring.unwrap(key, keyContext(key));
  try {
    const value = openUnder(dataKey, key.sealedValue, valueContext(key));
    try {
      return use(value);
    } finally {
      value.fill(0);
    }
  } finally {
    dataKey.fill(0);
  }
}

/** The same data key under the current key of the ring. Throws SealError when the ring does not open it. */
export function rewrapped(key: WrappedKey & Pick<ProviderKey, 'id'>, ring: WrappingRing): WrappedKey {
  const dataKey = ring.unwrap(key, keyContext(key));
  try {
    return ring.wrap(dataKey, keyContext(key));
  } finally {
    dataKey.fill(0);
  }
}
