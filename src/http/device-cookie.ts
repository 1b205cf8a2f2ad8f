import type { Context } from 'koa';
import { newSecret } from '../kit/ids.ts';

const YEAR_MS = 365 * 86_400_000;

/**
 * Remembers, signed, which account this browser signed in to last. It proves nothing but that: sign-in attempts from a known
 * device are counted apart, so that strangers who guess at an account cannot lock its owner out.
 */
export function createDeviceCookie({ secure }: { secure: boolean }) {
  const name = secure ? '__Host-gatehouse_device' : 'gatehouse_device';
  return {
    read(ctx: Context): { accountId: string; deviceId: string } | null {
      const [deviceId, accountId, ...rest] = ctx.cookies.get(name, { signed: true })?.split('.') ?? [];
      return deviceId && accountId && rest.length === 0 ? { accountId, deviceId } : null;
    },
    remember(ctx: Context, accountId: string): void {
      const known = this.read(ctx);
      const deviceId = known?.accountId === accountId ? known.deviceId : newSecret();
      ctx.cookies.set(name, `${deviceId}.${accountId}`, {
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
