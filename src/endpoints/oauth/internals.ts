/**
 * The only module that reaches into the engine. The token endpoint is ours (one client authentication, atomic commits);
 * it runs the engine's own handlers for the code and refresh grants, which have no public entry.
 * test/integration/oauth/internals.test.ts fails when an upgrade moves any of these.
 */

import type { Context } from 'koa';
import type { KoaContextWithOIDC, default as Provider } from 'oidc-provider';
import { handler as codeHandler } from 'oidc-provider/lib/actions/grants/authorization_code.js';
import { handler as refreshHandler } from 'oidc-provider/lib/actions/grants/refresh_token.js';
import als from 'oidc-provider/lib/helpers/als.js';
import * as grantHelpers from 'oidc-provider/lib/helpers/grants.js';

export type EngineGrant = 'authorization_code' | 'refresh_token';

const HANDLERS = { authorization_code: codeHandler, refresh_token: refreshHandler };

type Helper = (...args: unknown[]) => unknown;

function bindHelpers(provider: Provider): Record<string, Helper> {
  return Object.fromEntries(
    Object.entries(grantHelpers as unknown as Record<string, Helper>).map(([name, helper]) => [
      name,
      helper.bind(undefined, provider),
    ]),
  );
}

const bound = new WeakMap<Provider, Record<string, Helper>>();

/**
 * Runs one of the engine's grant handlers for a client that is authenticated already. The handler leaves the token
 * response in `ctx.body`; what it persists goes through the adapter as usual. Throws the engine's OAuth errors.
 */
export async function runEngineGrant(
  provider: Provider,
  ctx: Context,
  grant: EngineGrant,
  params: Readonly<Record<string, string | string[]>>,
  clientId: string,
): Promise<void> {
  let helpers = bound.get(provider);
  if (!helpers) {
    helpers = bindHelpers(provider);
    bound.set(provider, helpers);
  }
  const { OIDCContext } = provider as unknown as { OIDCContext: new (ctx: Context) => KoaContextWithOIDC['oidc'] };
  // The engine reads the route name from the context; without it, urlFor() could not tell where it is.
  Object.assign(ctx, { _matchedRouteName: 'token' });
  const oidc = new OIDCContext(ctx);
  Object.defineProperty(ctx, 'oidc', { value: oidc, configurable: true });
  await als.run(ctx, async () => {
    Object.assign(oidc, { params: { ...params } });
    const client = await provider.Client.find(clientId);
    if (!client) throw new TypeError('the authenticated client is unknown to the engine');
    oidc.entity('Client', client);
    await HANDLERS[grant](provider, helpers, ctx);
  });
}
