import type { Context } from 'koa';
import type { Client } from '../../domain/clients/client.ts';
import type { PresentedCredential } from '../../domain/credentials/presented.ts';
import type { Principal } from '../../domain/credentials/principal.ts';
import type { Provider, Vault } from '../../domain/provider-keys/vault.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { USE_PROVIDER_KEYS } from '../../domain/scopes/scope.ts';
import { factsOf } from '../../http/request-context.ts';
import { AppError } from '../../kit/errors.ts';
import type { EnvironmentsOf } from './environments.ts';
import type { Guard } from './guard.ts';
import { judgedRequest } from './judged-request.ts';
import type { LimitByCaller } from './limit-by-caller.ts';

export interface UsedProviderKey {
  provider: Provider;
  source: 'stored' | 'passed-through';
  keyId: string | null;
  fingerprint: string;
  value: string;
}

interface Wanted {
  provider: string;
  keyId?: string | undefined;
  /** One that came with the request wins over a stored one. */
  providerKey?: string | undefined;
}

/** Who may have a user's provider key: a resource server that the operator trusts with the scope, for a user who came to it. */
export interface UseProviderKey {
  /** Throws invalid_client or insufficient_scope unless such a resource server sent the request. */
  requireResourceServer(ctx: Context): Promise<void>;
  forCredential(
    ctx: Context,
    credential: PresentedCredential,
    /** `environment`: which ones the credential may be of; the usual one when left out. */
    wanted: Wanted & { environment?: string | readonly string[] | undefined },
  ): Promise<UsedProviderKey>;
  /** For a user that was let in already. */
  forPrincipal(ctx: Context, principal: Principal, wanted: Wanted): Promise<UsedProviderKey>;
}

export function createUseProviderKey({
  vault,
  guard,
  environmentsOf,
  authenticateCaller,
  findResource,
  thumbprintOf,
  limitByCaller,
  usesPerMinute,
  isOurs,
}: {
  vault: Vault;
  limitByCaller: LimitByCaller;
  /** Of one user's keys by one resource server: room for work, none for emptying the vault with a stolen secret. */
  usesPerMinute: number;
  /** Whether a text can only be a credential of ours. */
  isOurs: (text: string) => boolean;
  guard: Guard;
  environmentsOf: EnvironmentsOf;
  /** By Basic with its client secret, or by an access token of its own. */
  authenticateCaller: (ctx: Context) => Promise<{ client: Client; scopes: readonly string[] }>;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  thumbprintOf: (ctx: Context) => string | null;
}): UseProviderKey {
  async function caller(ctx: Context): Promise<Client> {
    const known = ctx.state.resourceServer as Client | undefined;
    if (known) return known;
    const { client, scopes } = await authenticateCaller(ctx);
    if (!scopes.includes(USE_PROVIDER_KEYS)) {
      throw new AppError('insufficient_scope', {
        public: `This needs a client with the scope ${USE_PROVIDER_KEYS}.`,
        facts: { scope: USE_PROVIDER_KEYS },
      });
    }
    ctx.state.resourceServer = client;
    return client;
  }

  /** A token that a user gave for another API is no reason to hand this one their key. */
  async function requireAudience(principal: Principal, client: Client): Promise<void> {
    if (principal.method !== 'access_token') return;
    const resource = principal.audience === null ? null : await findResource(principal.audience);
    if (resource?.clientId === client.id || client.resources.includes(principal.audience ?? '')) return;
    throw new AppError('insufficient_scope', { public: 'The credential is meant for another resource server.' });
  }

  async function forPrincipal(ctx: Context, principal: Principal, wanted: Wanted): Promise<UsedProviderKey> {
    const client = await caller(ctx);
    await requireAudience(principal, client);
    if (principal.subjectType !== 'user') {
      throw new AppError('insufficient_scope', {
        public: 'A client stores no provider keys; send the credential of a user.',
      });
    }
    await limitByCaller(
      ctx,
      { name: 'provider-keys', quota: usesPerMinute, windowSeconds: 60 },
      `${client.id}\0${principal.subject}`,
    );
    const { ip, requestId } = factsOf(ctx);
    const by = { clientId: client.id, ip, requestId, credentialId: principal.keyId ?? principal.sessionId };
    const { provider: name, keyId, providerKey } = wanted;
    if (providerKey !== undefined) {
      // A resource server that took the wrong header for the provider's key would give ours away.
      if (isOurs(providerKey)) {
        throw new AppError('invalid_request', {
          public: 'provider_key: is a credential of this server, not a provider key',
        });
      }
      const { provider, fingerprint } = await vault.passThrough(
        { ownerId: principal.subject, provider: name, value: providerKey },
        by,
      );
      return { provider, source: 'passed-through', keyId: null, fingerprint, value: providerKey };
    }
    const { key, provider, value } = await vault.use(
      { ownerId: principal.subject, provider: name, ...(keyId === undefined ? {} : { keyId }) },
      by,
    );
    return { provider, source: 'stored', keyId: key.id, fingerprint: key.fingerprint, value };
  }

  return {
    async requireResourceServer(ctx) {
      await caller(ctx);
    },
    forPrincipal,
    async forCredential(ctx, credential, wanted) {
      const { principal } = await guard(credential, environmentsOf(wanted.environment), {
        facts: factsOf(ctx),
        judged: judgedRequest(ctx, thumbprintOf),
      });
      return forPrincipal(ctx, principal, wanted);
    },
  };
}
