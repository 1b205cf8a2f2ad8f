import type { Context } from 'koa';
import type { KnownDevice } from '../domain/accounts/known-device.ts';
import type { Clock } from '../kit/clock.ts';
import { newSecret } from '../kit/ids.ts';

const YEAR_MS = 365 * 86_400_000;

/**
 * Remembers, signed, which account this browser signed in to last, and when. It proves nothing but that: sign-in attempts from a
 * known device are counted apart, so that strangers who guess at an account cannot lock its owner out.
 */
export function createDeviceCookie({ secure, clock }: { secure: boolean; clock: Clock }) {
  const name = secure ? '__Host-gatehouse_device' : 'gatehouse_device';
  return {
    read(ctx: Context): KnownDevice | null {
      const [deviceId, accountId, since = '0', ...rest] = ctx.cookies.get(name, { signed: true })?.split('.') ?? [];
      if (!deviceId || !accountId || rest.length > 0 || !/^\d{1,12}$/.test(since)) return null;
      return { accountId, deviceId, knownSince: Number(since) };
    },
    remember(ctx: Context, accountId: string): void {
      const known = this.read(ctx);
      const deviceId = known?.accountId === accountId ? known.deviceId : newSecret();
      ctx.cookies.set(name, `${deviceId}.${accountId}.${clock.nowSeconds()}`, {
        signed: true,
        httpOnly: true,
        sameSite: 'lax',
        secure,
        path: '/',
        maxAge: YEAR_MS,
        overwrite: true,
      });
    },
  };
}
