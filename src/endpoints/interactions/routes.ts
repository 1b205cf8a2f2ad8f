import type { Context } from 'koa';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import { factsOf } from '../../http/request-context.ts';
import { AppError } from '../../kit/errors.ts';
import type { createConsentPage } from './consent.ts';
import type { Interactions } from './interaction.ts';
import type { createSignInPage } from './sign-in.ts';

export interface InteractionRoute {
  name: string;
  methods: Record<string, (ctx: Context) => Promise<void>>;
}

const PATH = /^\/interaction\/([A-Za-z0-9_-]{43})(?:\/(sign-in|consent|cancel|switch-account))?$/;

/**
 * The hub of the browser flow. The engine decides which step is next (sign-in, consent, done) and sends the browser to
 * `/interaction/<uid>`; every step posts its result and goes back to the engine, never to another step.
 */
export function interactionRoutes({
  interactions,
  signInPage,
  consentPage,
  audit,
  authorizePath,
}: {
  interactions: Interactions;
  signInPage: ReturnType<typeof createSignInPage>;
  consentPage: ReturnType<typeof createConsentPage>;
  audit: RecordAudit;
  /** With the base path. */
  authorizePath: string;
}): (path: string) => InteractionRoute | null {
  async function show(ctx: Context, uid: string): Promise<void> {
    const step = await interactions.current(ctx, uid);
    // The back button, after an answer that the browser did not follow.
    if (step.interaction.result) return interactions.sendBack(ctx, step.interaction);
    switch (step.interaction.prompt.name) {
      case 'login':
        return signInPage.show(ctx, step);
      case 'consent':
        return consentPage.show(ctx, step);
      default:
        throw new AppError('server_error', { internal: `no page for the prompt ${step.interaction.prompt.name}` });
    }
  }

  async function cancel(ctx: Context, uid: string): Promise<void> {
    const { step } = await interactions.posted(ctx, uid);
    const result = { error: 'access_denied', error_description: 'the end-user denied the request' };
    await interactions.finish(ctx, step, result, false);
    // Before anybody signed in there is no one who denied anything.
    const accountId = step.interaction.session?.accountId;
    if (accountId !== undefined && step.interaction.prompt.name === 'consent') {
      const { ip, requestId } = factsOf(ctx);
      await audit('consent.denied', { accountId, clientId: step.client.id, ip, requestId });
    }
  }

  /** Starts the same authorization again with a sign-in; the engine ends the old session when another account signs in. */
  async function switchAccount(ctx: Context, uid: string): Promise<void> {
    const { step } = await interactions.posted(ctx, uid);
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(step.interaction.params)) {
      for (const item of Array.isArray(value) ? value : [value]) if (typeof item === 'string') query.append(name, item);
    }
    query.delete('login_hint');
    // The client's own wish to be consented anew stays.
    const consent = query.get('prompt')?.split(' ').includes('consent');
    query.set('prompt', consent ? 'login consent' : 'login');
    ctx.status = 303;
    ctx.redirect(`${authorizePath}?${query}`);
  }

  const posts: Record<string, (ctx: Context, uid: string) => Promise<void>> = {
    'sign-in': signInPage.submit,
    consent: consentPage.allow,
    cancel,
    'switch-account': switchAccount,
  };

  return (path): InteractionRoute | null => {
    const [, uid, action] = PATH.exec(path) ?? [];
    if (!uid) return null;
    if (!action) return { name: 'interaction', methods: { GET: (ctx) => show(ctx, uid) } };
    const post = posts[action];
    // A reload or the back button asks for the page itself: show the step at hand instead of an error.
    if (!post) return null;
    return { name: `interaction ${action}`, methods: { POST: (ctx) => post(ctx, uid), GET: (ctx) => show(ctx, uid) } };
  };
}
