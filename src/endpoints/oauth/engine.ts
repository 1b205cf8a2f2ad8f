import type { Context } from 'koa';
import compose from 'koa-compose';
import type { Provider } from 'oidc-provider';
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
  /** Builds the engine anew (about a millisecond); requests under way finish on the old one. */
  rebuild(): void;
}

type Handler = (ctx: Context) => Promise<void>;

export function createEngine({ keySet, ...options }: Omit<ProviderOptions, 'keys'> & { keySet: KeySet }): Engine {
  let current = build();

  function build(): { provider: Provider; handler: Handler } {
    const provider = createProvider({ ...options, keys: keySet.all() });
    // The engine answers the caller with a bland 500; what really happened is ours to log and to translate.
    provider.on('server_error', (ctx: Context, error: Error) => {
      ctx.state['engineError'] = error;
    });
    return { provider, handler: compose(provider.middleware) as unknown as Handler };
  }

  return {
    provider: () => current.provider,
    async handle(ctx) {
      await current.handler(ctx);
      const failure = ctx.state['engineError'] as Error | undefined;
      if (failure) throw failure;
      ownFormPage(ctx, options.pages);
    },
    async runGrant(ctx, grant, params, clientId) {
      try {
        await runEngineGrant(current.provider, ctx, grant, params, clientId);
      } catch (error) {
        throw fromEngineError(error);
      }
    },
    rebuild() {
      current = build();
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
  const { redirect_uri: redirectUri } = (ctx['oidc'] as { params?: Record<string, unknown> } | undefined)?.params ?? {};
  const target = typeof redirectUri === 'string' ? ` ${formTarget(redirectUri)}` : '';
  const fitted = policy
    .replace("script-src 'none' ", 'script-src ')
    .replace("form-action 'self'", `form-action 'self'${target}`);
  ctx.set('Content-Security-Policy', fitted);
  const page = readFormPage(String(ctx.body));
  // A private-use scheme is no place our page links to; the engine's own form may try.
  if (/^https?:/.test(page.action)) ctx.body = pages.form(ctx, page);
}
