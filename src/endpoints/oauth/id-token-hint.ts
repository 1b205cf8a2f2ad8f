import { decodeJwt } from 'jose';
import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Client } from '../../domain/clients/client.ts';

/**
 * Id tokens as hints (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 2). A session outlives the keys that signed its id tokens and
 * the clients they were for, so a hint that cannot be checked is no error: it counts as none. Such a hint is taken out of the
 * request before the engine, which would refuse the request, sees it. Nothing is believed from it.
 */
export function createHints({
  issuer,
  provider,
  findClient,
}: {
  issuer: string;
  provider: () => Provider;
  findClient: (id: string) => Promise<Client | null>;
}) {
  /** Whether it is an id token of ours for this client, expired or not. One for a client deleted since is not for the new one. */
  async function isUsable(hint: string, clientId: string): Promise<boolean> {
    const client = await findClient(clientId);
    const engineClient = client && (await provider().Client.find(clientId));
    if (!client || !engineClient) return false;
    try {
      const { payload } = await provider().IdToken.validate(hint, engineClient);
      return Number(payload.iat) >= Math.floor(client.createdAt / 1000);
    } catch {
      return false;
    }
  }

  return {
    async atAuthorization(ctx: Context): Promise<void> {
      const { id_token_hint: hint, client_id: clientId } = ctx.query;
      if (typeof hint !== 'string' || typeof clientId !== 'string' || (await isUsable(hint, clientId))) return;
      without(ctx, 'id_token_hint');
      const claims = readUnverified(hint);
      if (claims?.iss === issuer) ctx.state.unverifiedSubject = claims.sub;
    },
    async atSignOut(ctx: Context): Promise<void> {
      const { id_token_hint: hint, client_id: clientId } = ctx.query;
      if (typeof hint === 'string') {
        const audience = readUnverified(hint)?.aud;
        if (typeof audience === 'string' && (await isUsable(hint, audience))) return;
        without(ctx, 'id_token_hint');
      }
      // A client that is gone cannot say where to go afterwards; the person can still sign out.
      if (typeof clientId === 'string' && !(await findClient(clientId))) {
        without(ctx, 'client_id', 'post_logout_redirect_uri');
      }
    },
  };
}

export type Hints = ReturnType<typeof createHints>;

/**
 * The account that a hint names without proof. It opens nothing, but a client that wants this person must not silently get another
 * one only because a key was rotated: the person in the session is then asked.
 */
export const unverifiedSubjectOf = (ctx: Context): string | undefined =>
  ctx.state.unverifiedSubject as string | undefined;

function readUnverified(hint: string): ReturnType<typeof decodeJwt> | null {
  try {
    return decodeJwt(hint);
  } catch {
    return null;
  }
}

function without(ctx: Context, ...names: string[]): void {
  ctx.query = Object.fromEntries(Object.entries(ctx.query).filter(([name]) => !names.includes(name)));
}
