import type { Context } from 'koa';
import { createSignInAudit, type SignIn } from '../../domain/accounts/sign-in.ts';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { createDeviceCookie } from '../../http/device-cookie.ts';
import type { Renderer } from '../../http/render.ts';
import { factsOf, noteReason } from '../../http/request-context.ts';
import { sendPage } from '../../http/security-headers.ts';
import { AppError } from '../../kit/errors.ts';
import type { Interactions, Step } from './interaction.ts';

/** The sign-in page. Unknown, wrong and disabled are one answer. */
export function createSignInPage({
  interactions,
  signIn,
  deviceCookie,
  audit,
  renderer,
  basePath,
}: {
  interactions: Interactions;
  signIn: SignIn;
  deviceCookie: ReturnType<typeof createDeviceCookie>;
  audit: RecordAudit;
  renderer: Renderer;
  basePath: string;
}) {
  const auditSignIn = createSignInAudit({ audit });

  function show(ctx: Context, step: Step, { email = '', error }: { email?: string; error?: string } = {}): void {
    const { uid, client, interaction, formTargets } = step;
    const again = interaction.session?.accountId !== undefined;
    const html = renderer.render('interactions/sign-in', {
      clientName: client.name,
      action: `${basePath}/interaction/${uid}/sign-in`,
      cancelAction: `${basePath}/interaction/${uid}/cancel`,
      csrfToken: interactions.token(uid),
      email: email || String(interaction.params.login_hint ?? ''),
      error,
      notice: again ? 'Please sign in again to continue.' : undefined,
      requestId: factsOf(ctx).requestId,
    });
    sendPage(ctx, html, formTargets);
  }

  return {
    show,
    async submit(ctx: Context, uid: string): Promise<void> {
      const { step, fields } = await interactions.posted(ctx, uid);
      if (step.interaction.prompt.name !== 'login') throw new AppError('session_not_found');
      const facts = factsOf(ctx);
      const [email, password] = [fields('email'), fields('password')];

      const outcome = await signIn({
        email,
        password,
        addressGroup: facts.addressGroup,
        knownDevice: deviceCookie.read(ctx),
      });
      await auditSignIn(outcome, { ...facts, clientId: step.client.id });
      switch (outcome.kind) {
        case 'signed-in': {
          const { id: accountId } = outcome.account;
          deviceCookie.remember(ctx, accountId);
          await interactions.finish(ctx, step, { login: { accountId, amr: ['pwd'], ts: outcome.at } }, false);
          return;
        }
        case 'throttled':
          noteReason(ctx, `the counter ${outcome.by}`);
          ctx.set('Retry-After', String(outcome.retryAfterSeconds));
          ctx.status = 429;
          return show(ctx, step, {
            email,
            error: `Too many attempts. Wait ${inWords(outcome.retryAfterSeconds)} and try again.`,
          });
        case 'refused':
          ctx.status = 422;
          return show(ctx, step, {
            email,
            error: 'The email address or the password is not right. Check both and try again.',
          });
      }
    },
  };
}

/** A duration as people say it, rounded up to one unit. */
export function inWords(seconds: number): string {
  const [size, unit] =
    seconds < 90
      ? [1, 'second']
      : seconds < 5400
        ? [60, 'minute']
        : seconds < 129_600
          ? [3600, 'hour']
          : [86_400, 'day'];
  const count = Math.ceil(seconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
