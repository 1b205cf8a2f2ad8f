import type { Context } from 'koa';
import { errors, type InteractionResults, type Provider } from 'oidc-provider';
import type { Client } from '../../domain/clients/client.ts';
import type { Csrf } from '../../http/csrf.ts';
import { readParameters, single } from '../../http/parameters.ts';
import { formTarget } from '../../http/security-headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';

export type EngineInteraction = Awaited<ReturnType<Provider['interactionDetails']>>;

/** The step at hand: what the engine waits for, and for which client. */
export interface Step {
  interaction: EngineInteraction;
  uid: string;
  client: Client;
  /** Where the page's forms may lead in the end, for the form-action directive. */
  formTargets: string[];
}

/** Reads and answers the engine's interactions. Each belongs to the browser that has its signed cookie. */
export function createInteractions({
  provider,
  findClient,
  csrf,
  clock,
}: {
  clock: Clock;
  provider: () => Provider;
  findClient: (id: string) => Promise<Client | null>;
  csrf: Csrf;
}) {
  async function current(ctx: Context, uid: string): Promise<Step> {
    let interaction: EngineInteraction;
    try {
      interaction = await provider().interactionDetails(ctx.req, ctx.res);
    } catch (cause) {
      if (cause instanceof errors.SessionNotFound) throw new AppError('session_not_found', { cause });
      throw cause;
    }
    if (interaction.uid !== uid) throw new AppError('session_not_found');
    const client = await findClient(String(interaction.params.client_id));
    if (!client) throw new AppError('session_not_found', { public: 'The application was removed meanwhile.' });
    const redirectUri = String(interaction.params.redirect_uri);
    return { interaction, uid, client, formTargets: [formTarget(redirectUri)] };
  }

  return {
    current,
    /** The same for a form post: its fields, once the CSRF token was checked. */
    async posted(ctx: Context, uid: string): Promise<{ step: Step; fields: (name: string) => string }> {
      const parameters = await readParameters(ctx, { limitBytes: 16_384 });
      const step = await current(ctx, uid);
      csrf.check(ctx, uid, single(parameters, 'csrf'));
      return { step, fields: (name) => single(parameters, name) ?? '' };
    },
    token: (uid: string): string => csrf.token(uid),
    /**
     * Hands the result to the engine and sends the browser back to it. 303: the form's fields must not be sent along. The first
     * answer to a step counts. The same answer sent again (a double click) leads the same way; another answer is refused.
     */
    async finish(ctx: Context, step: Step, result: InteractionResults, merge: boolean): Promise<void> {
      const { interaction, uid } = step;
      await followSession(ctx, interaction);
      interaction.result = merge && !('error' in result) ? { ...interaction.lastSubmission, ...result } : result;
      try {
        await interaction.save(interaction.exp - clock.nowSeconds());
      } catch (failure) {
        const kept = await provider().Interaction.find(uid);
        if (!kept || essenceOf(kept.result) !== essenceOf(interaction.result)) throw failure;
      }
      sendBack(ctx, interaction);
    },
    /** To the engine, which knows what comes next. */
    sendBack,
  };

  function sendBack(ctx: Context, { returnTo }: EngineInteraction): void {
    ctx.status = 303;
    ctx.redirect(returnTo);
  }

  /**
   * Two tabs that sign in at the same moment make two sessions, and the browser keeps the later one. The step of the other
   * tab goes on in it, as long as it is the same person.
   */
  async function followSession(ctx: Context, interaction: EngineInteraction): Promise<void> {
    const { session } = interaction;
    const cookie = ctx.cookies.get(provider().cookieName('session'), { signed: true });
    if (!session || !cookie || session.cookie === cookie) return;
    const kept = await provider().Session.find(cookie);
    if (!kept || kept.uid === session.uid || kept.accountId !== session.accountId) return;
    interaction.session = { ...session, uid: kept.uid, cookie };
  }
}

/** What an answer says, without the moment at which it was given. */
const essenceOf = ({ login, consent, error }: InteractionResults = {}): string =>
  JSON.stringify([login?.accountId, consent, error]);

export type Interactions = ReturnType<typeof createInteractions>;
