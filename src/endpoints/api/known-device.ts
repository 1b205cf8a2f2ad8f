import type { Context } from 'koa';
import type { DeviceTokens, KnownDevice } from '../../domain/accounts/known-device.ts';
import type { Login } from '../../domain/login/login.ts';
import type { createDeviceCookie } from '../../http/device-cookie.ts';

/** For APIs whose bodies are published without a member for it; both ways. */
export const DEVICE_HEADER = 'Gatehouse-Device';

/** Whom this client signed in as before, and how it is told so that it can say it next time. */
export interface ApiDevice {
  /** By a device token or a refresh token that it sends, else by its cookie. */
  read(ctx: Context, sent?: string): Promise<KnownDevice | null>;
  /** In cookie mode by the cookie, else in the answer. */
  remember(ctx: Context, accountId: string, known: KnownDevice | null): string;
  rememberByCookie(ctx: Context, accountId: string): void;
}

export function createApiDevice({
  deviceCookie,
  deviceTokens,
  login,
}: {
  deviceCookie: ReturnType<typeof createDeviceCookie>;
  deviceTokens: DeviceTokens;
  login: Pick<Login, 'deviceOf'>;
}): ApiDevice {
  return {
    async read(ctx, sent = ctx.get(DEVICE_HEADER)) {
      if (sent === '') return deviceCookie.read(ctx);
      return deviceTokens.read(sent) ?? (await login.deviceOf(sent)) ?? deviceCookie.read(ctx);
    },
    remember(ctx, accountId, known) {
      const token = deviceTokens.make(accountId, known);
      ctx.set(DEVICE_HEADER, token);
      return token;
    },
    rememberByCookie: (ctx, accountId) => deviceCookie.remember(ctx, accountId),
  };
}
