import type { Context } from 'koa';
import { displayName } from '../../domain/accounts/account.ts';
import type { AccountStore } from '../../domain/accounts/account-store.ts';
import { isLoopbackHost, OPENID_SCOPES } from '../../domain/clients/client-rules.ts';
import type { Allowed } from '../../domain/consents/consent.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import type { Renderer } from '../../http/render.ts';
import { factsOf } from '../../http/request-context.ts';
import { sendPage } from '../../http/security-headers.ts';
import { AppError } from '../../kit/errors.ts';
import type { Interactions, Step } from './interaction.ts';

/** What the client asks for, as the person sees it and as it is granted. */
interface Asked {
  scopes: string[];
  claims: string[];
  resources: { resource: ResourceServer; scopes: string[] }[];
}

export function createConsentPage({
  interactions,
  accounts,
  findResource,
  renderer,
  basePath,
  lifetimeText,
}: {
  interactions: Interactions;
  accounts: Pick<AccountStore, 'find'>;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  renderer: Renderer;
  basePath: string;
  /** How long the access lasts, in words, by whether it outlives the session. */
  lifetimeText: (offline: boolean) => string;
}) {
  async function askedFor({ interaction, client }: Step): Promise<Asked> {
    const { params, prompt } = interaction;
    const scopes = String(params.scope ?? '')
      .split(' ')
      .filter(Boolean);
    const named = params.resource;
    const identifiers = new Set((Array.isArray(named) ? named : [named]).filter((item) => typeof item === 'string'));
    const resources = [];
    for (const identifier of identifiers) {
      const resource = client.resources.includes(identifier) ? await findResource(identifier) : null;
      const own =
        resource?.scopes
          .map((scope) => scope.name)
          .filter((name) => scopes.includes(name) && client.scopes.includes(name)) ?? [];
      if (resource && own.length > 0) resources.push({ resource, scopes: own });
    }
    return {
      scopes: scopes.filter((scope) => scope in OPENID_SCOPES),
      claims: (prompt.details.missingOIDCClaims as string[] | undefined) ?? [],
      resources,
    };
  }

  async function show(ctx: Context, step: Step): Promise<void> {
    const { uid, client, interaction, formTargets } = step;
    const asked = await askedFor(step);
    const account = await accounts.find(interaction.session?.accountId ?? '');
    if (!account) throw new AppError('session_not_found');
    const { details } = interaction.prompt;
    const newScopes = new Set((details.missingOIDCScope as string[] | undefined) ?? []);
    const newResourceScopes = (details.missingResourceScopes as Record<string, string[]> | undefined) ?? {};
    const redirect = new URL(String(interaction.params.redirect_uri));
    const describe = (name: string, description: string, isNew: boolean) => ({ name, description, isNew });
    const html = renderer.render('interactions/consent', {
      clientName: client.name,
      clientId: client.id,
      redirectHost: redirect.host || redirect.protocol,
      redirectIsLocal: isLoopbackHost(redirect.hostname) || client.applicationType === 'native',
      account: { name: displayName(account), email: account.email },
      action: `${basePath}/interaction/${uid}/consent`,
      denyAction: `${basePath}/interaction/${uid}/cancel`,
      switchAccountAction: `${basePath}/interaction/${uid}/switch-account`,
      csrfToken: interactions.token(uid),
      groups: [
        ...(asked.scopes.length > 0
          ? [
              {
                heading: 'It will be able to',
                scopes: asked.scopes.map((name) => describe(name, OPENID_SCOPES[name] ?? name, newScopes.has(name))),
              },
            ]
          : []),
        ...asked.resources.map(({ resource, scopes }) => ({
          heading: `With ${resource.name} it can`,
          audience: resource.identifier,
          scopes: resource.scopes
            .filter((scope) => scopes.includes(scope.name))
            .map((scope) =>
              describe(
                scope.name,
                scope.description,
                newResourceScopes[resource.identifier]?.includes(scope.name) ?? false,
              ),
            ),
        })),
      ],
      claims: asked.claims,
      lifetimeText: lifetimeText(asked.scopes.includes('offline_access')),
      requestId: factsOf(ctx).requestId,
    });
    sendPage(ctx, html, formTargets);
  }

  return {
    show,
    async allow(ctx: Context, uid: string): Promise<void> {
      const { step } = await interactions.posted(ctx, uid);
      const { interaction, client } = step;
      const accountId = interaction.session?.accountId;
      if (interaction.prompt.name !== 'consent' || !accountId) throw new AppError('session_not_found');
      const asked = await askedFor(step);

      const allowed: Allowed = {
        accountId,
        clientId: client.id,
        scopes: asked.scopes,
        claims: asked.claims,
        resources: Object.fromEntries(asked.resources.map(({ resource, scopes }) => [resource.identifier, scopes])),
      };
      // Of several answers to one page only the first may have an effect: policies.ts remembers it when the engine goes on.
      await interactions.finish(ctx, step, { consent: { allowed } }, true);
    },
  };
}
