import type { Deployment } from '../stores.ts';

/** What every key began with before deployments had names. */
export const SHARED_PREFIX = 'gh:';

/** What the keys and channels of this deployment begin with; decided when the process knows which deployment it belongs to. */
export interface RedisNames {
  /** Of keys. */
  keys: string;
  /** Of channels: publish/subscribe knows no database numbers, so other deployments hear what is said there. */
  channels: string;
  /** Processes of the older version may run beside: what they say is heard, and they are told. */
  withOlder: boolean;
}

/** Channels of the older version. */
export const OLDER_CHANNELS = 'gh:m:';

export const namesBefore = (): RedisNames => ({ keys: SHARED_PREFIX, channels: OLDER_CHANNELS, withOlder: false });

/**
 * @param prefix what the operator chose
 */
export function namesOf({ name, names }: Deployment, prefix: string | null): RedisNames {
  const own = prefix ?? `gh:${name}:`;
  if (prefix !== null || names === 'own') return { keys: own, channels: `${own}m:`, withOlder: false };
  return { keys: SHARED_PREFIX, channels: `${own}m:`, withOlder: true };
}
