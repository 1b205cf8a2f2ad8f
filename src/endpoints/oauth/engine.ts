import type { Context } from 'koa';
import compose from 'koa-compose';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { KeySet } from '../../domain/signing-keys/key-set.ts';
import { formTarget } from '../../http/security-headers.ts';
import type { RunEngineGrant } from './code-grant.ts';
import { fromEngineError } from './engine-errors.ts';
import { readFormPage } from './form-page.ts';
import { runEngineGrant } from './internals.ts';
import { createProvider, type EnginePages, type ProviderOptions } from './provider.ts';

/** The OAuth engine behind one reference. When the signing keys change a new one takes over between two requests. */
export interface Engine {
  /** The engine in force now; keep it no longer than one request. */
  provider(): Provider;
  /** Lets the engine answer the request at hand. */
  handle(ctx: Context): Promise<void>;
  runGrant: RunEngineGrant;
}

type Handler = (ctx: Context) => Promise<void>;

export function createEngine({
  keySet,
  basePath,
  ...options
}: Omit<ProviderOptions, 'keys'> & { keySet: KeySet; basePath: string }): Engine {
  let current = build();

  /** Built anew (about a millisecond) when the keys changed, whoever noticed; requests under way finish on the old one. */
  function inForce(): typeof current {
    if (current.version !== keySet.version()) current = build();
    return current;
  }

  function build(): { provider: Provider; handler: Handler; version: string } {
    const version = keySet.version();
    const provider = createProvider({ ...options, keys: keySet.all() });
    // The engine answers the caller with a bland 500; what really happened is ours to log and to translate.
    provider.on('server_error', (ctx: Context, error: Error) => {
      ctx.state.engineError = error;
    });
    return { provider, handler: compose(provider.middleware) as unknown as Handler, version };
  }

  return {
    provider: () => inForce().provider,
    async handle(ctx) {
      // The engine makes its URLs from the path it is mounted at.
      Object.assign(ctx, { mountPath: basePath });
      await inForce().handler(ctx);
      const failure = ctx.state.engineError as Error | undefined;
      if (failure) throw failure;
      ownFormPage(ctx, options.pages);
    },
    async runGrant(ctx, grant, params, clientId) {
      try {
        await runEngineGrant(inForce().provider, ctx, grant, params, clientId);
      } catch (error) {
        throw fromEngineError(error);
      }
    },
  };
}

/**
 * The engine's own pages are forms that post themselves: to the client (response_mode=form_post), or to sign-out when another
 * account signs in. They get our looks, and a policy that lets the form go where it must: the engine added the hash of its
 * script, Chromium applies form-action to the redirects that follow.
 */
function ownFormPage(ctx: Context, pages: EnginePages): void {
  const policy = ctx.response.get('content-security-policy');
  if (!policy.includes("'sha256-")) return;
  const { oidc } = ctx as unknown as KoaContextWithOIDC;
  // On resuming, the engine may ask for a sign-out before it has taken over the parameters of the request.
  const redirectUri = (oidc.params ?? oidc.entities.Interaction?.params)?.redirect_uri;
  const target = typeof redirectUri === 'string' ? ` ${formTarget(redirectUri)}` : '';
  const fitted = policy
    .replace("script-src 'none' ", 'script-src ')
    .replace("form-action 'self'", `form-action 'self'${target}`);
  ctx.set('Content-Security-Policy', fitted);
  const page = readFormPage(String(ctx.body));
  // A private-use scheme is no place our page links to; the engine's own form may try.
  if (/^https?:/.test(page.action)) ctx.body = pages.form(ctx, page);
}
