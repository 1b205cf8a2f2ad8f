import type { Clock } from '../../kit/clock.ts';
import { constantTimeEqual, type Digester } from '../../kit/digest.ts';
import { newSecret } from '../../kit/ids.ts';

/** A browser or client that signed in to this account before. */
export interface KnownDevice {
  accountId: string;
  deviceId: string;
  /** When it signed in, in seconds since the epoch; of a cookie from before this was kept, 0. */
  knownSince: number;
}

const PREFIX = 'gdt_';
const YEAR_SECONDS = 365 * 86_400;
const TEXT = /^gdt_([A-Za-z0-9_-]{43})\.([a-z]+_[A-Za-z0-9_-]{1,64})\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/;

/**
 * Device tokens: for clients of the JSON API what the device cookie is for browsers. One proves that who has it signed in to
 * this account before, and nothing else: sign-ins with it have a counter of their own. It opens no door, and nothing is stored.
 */
export interface DeviceTokens {
  /** Goes on with the device that came, if it is of the same account. */
  make(accountId: string, known: KnownDevice | null): string;
  read(text: string): KnownDevice | null;
}

export function createDeviceTokens({ digester, clock }: { digester: Digester; clock: Clock }): DeviceTokens {
  const proofOf = (start: string): string => digester.digest('device-token', start);
  return {
    make(accountId, known) {
      const deviceId = known?.accountId === accountId && DEVICE_ID.test(known.deviceId) ? known.deviceId : newSecret();
      const start = `${deviceId}.${accountId}.${clock.nowSeconds()}`;
      return `${PREFIX}${start}.${proofOf(start)}`;
    },
    read(text) {
      const [, deviceId = '', accountId = '', since = '', proof = ''] = TEXT.exec(text) ?? [];
      if (proof === '' || !constantTimeEqual(proof, proofOf(`${deviceId}.${accountId}.${since}`))) return null;
      const knownSince = Number(since);
      const ageSeconds = clock.nowSeconds() - knownSince;
      return ageSeconds > YEAR_SECONDS ? null : { accountId, deviceId, knownSince };
    },
  };
}

const DEVICE_ID = /^[A-Za-z0-9_-]{43}$/;
