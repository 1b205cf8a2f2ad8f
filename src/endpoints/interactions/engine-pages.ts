import type { Context } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { displayName } from '../../domain/accounts/account.ts';
import type { AccountStore } from '../../domain/accounts/account-store.ts';
import type { Renderer } from '../../http/render.ts';
import { factsOf } from '../../http/request-context.ts';
import type { ErrorWriter } from '../../http/routes.ts';
import { formTarget, sendPage } from '../../http/security-headers.ts';
import type { ErrorCodeName } from '../../kit/error-codes.ts';
import { AppError } from '../../kit/errors.ts';

/** The pages the engine asks for while it answers: sign-out, signed out, and errors that have no client to go back to. */
export function createEnginePages({
  renderer,
  accounts,
  writePage,
}: {
  renderer: Renderer;
  accounts: Pick<AccountStore, 'find'>;
  writePage: ErrorWriter;
}) {
  return {
    async error(
      ctx: KoaContextWithOIDC,
      out: { error: string; error_description?: string },
      cause: Error,
    ): Promise<void> {
      // An API, whatever it says it accepts.
      if (ctx.oidc.route === 'userinfo') {
        ctx.body = out;
        return;
      }
      const code = cause.name === 'SessionNotFound' ? 'session_not_found' : pageCode(out.error);
      const says =
        code === 'invalid_authorization' && out.error_description ? { public: sentence(out.error_description) } : {};
      writePage(ctx, new AppError(code, { ...says, cause }));
    },
    /** With JavaScript nobody sees it: the script submits it at once. */
    form: (ctx: Context, page: { action: string; fields: { name: string; value: string }[]; script: string }): string =>
      renderer.render('interactions/continue', {
        ...page,
        message: 'Continue to finish what you started.',
        buttonLabel: 'Continue',
        requestId: factsOf(ctx).requestId,
      }),
    async signOut(ctx: KoaContextWithOIDC, form: string): Promise<void> {
      const action = /action="([^"]+)"/.exec(form)?.[1];
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1];
      if (!action || !xsrf) throw new TypeError('the engine changed its sign-out form');
      const account = await accounts.find(ctx.oidc.session?.accountId ?? '');
      const target = ctx.oidc.params?.post_logout_redirect_uri;
      const html = renderer.render('interactions/sign-out', {
        action: new URL(action).pathname,
        xsrf,
        clientName: ctx.oidc.client?.clientName,
        accountName: account ? displayName(account) : 'your account',
        requestId: factsOf(ctx).requestId,
      });
      sendPage(ctx, html, typeof target === 'string' ? [formTarget(target)] : []);
    },
    async signedOut(ctx: KoaContextWithOIDC): Promise<void> {
      const html = renderer.render('interactions/signed-out', {
        clientName: ctx.oidc.client?.clientName,
        requestId: factsOf(ctx).requestId,
      });
      sendPage(ctx, html);
    },
  };
}

/** What a person can make of an error that has no client to go back to. */
function pageCode(error: string): ErrorCodeName {
  if (error === 'invalid_client') return 'unknown_application';
  if (error === 'invalid_redirect_uri') return 'unregistered_redirect';
  return error === 'server_error' || error === 'temporarily_unavailable' ? error : 'invalid_authorization';
}

/** The engine writes its descriptions in lower case, for logs. */
const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
