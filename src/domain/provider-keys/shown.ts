import type { WrappingRing } from '../../kit/seal.ts';
import { isReadable } from './envelope.ts';
import type { ProviderKey } from './provider-key.ts';
import type { ShownProviderKey } from './vault.ts';

/** Never fails: whether it can be opened is part of what is shown. */
export function shown(key: ProviderKey, ring: WrappingRing): ShownProviderKey {
  const { sealedValue: _value, wrappedKey: _key, wrappedBy: _by, ownerId: _owner, ...visible } = key;
  return { ...visible, state: isReadable(key, ring) ? 'usable' : 'needs-re-entry' };
}
