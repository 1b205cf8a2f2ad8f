import {
  type Client as EngineClient,
  type ResourceServer as EngineResource,
  errors,
  type InteractionResults,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { Client } from '../../domain/clients/client.ts';
import { OPENID_SCOPES } from '../../domain/clients/client-rules.ts';
import { type Allowed, type Consent, mergeConsent } from '../../domain/consents/consent.ts';
import type { ConsentStore } from '../../domain/consents/consent-store.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { factsOf } from '../../http/request-context.ts';
import type { Clock } from '../../kit/clock.ts';
import { newSecret } from '../../kit/ids.ts';
import { grantedResourceScopes } from './resources.ts';

const MAX_REQUEST_CHARACTERS = 8192;

/** OpenID Connect Core 5.4, as far as accounts have them. */
export const SCOPE_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: ['name', 'given_name', 'family_name', 'updated_at'],
  email: ['email', 'email_verified'],
};

export interface PolicyStores {
  findClient: (id: string) => Promise<Client | null>;
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  consents: Pick<ConsentStore, 'find' | 'save'>;
}

/** What this very account allowed this very client in the step that was just answered. */
function allowedNow(
  result: InteractionResults | undefined,
  { accountId, clientId }: Pick<Allowed, 'accountId' | 'clientId'>,
): Allowed | null {
  const allowed = result?.consent?.allowed as Allowed | undefined;
  return allowed && allowed.accountId === accountId && allowed.clientId === clientId ? allowed : null;
}

/** What the engine asks the host to decide, in our terms. */
export function createPolicies({
  findClient,
  findResource,
  consents,
  audit,
  clock,
}: PolicyStores & { audit: RecordAudit; clock: Clock }) {
  async function get(id: string): Promise<Client> {
    const client = await findClient(id);
    if (!client) throw new errors.InvalidClient('client not found');
    return client;
  }

  async function remember(ctx: KoaContextWithOIDC, consent: Consent, { scopes, resources }: Allowed): Promise<void> {
    const { accountId, clientId } = consent;
    const { ip, requestId } = factsOf(ctx);
    const scope = [...scopes, ...Object.values(resources).flat()].join(' ');
    await audit('consent.granted', { accountId, clientId, ip, requestId, details: { scope } });
    await consents.save(consent);
  }

  return {
    /**
     * A client with one resource server gets it without naming it, if it asks for any of its scopes. A request for OpenID
     * Connect scopes alone gets a token for the userinfo endpoint.
     */
    async defaultResource(
      ctx: KoaContextWithOIDC,
      client: EngineClient,
      oneOf?: readonly string[],
    ): Promise<string | readonly string[] | undefined> {
      if (oneOf !== undefined && oneOf.length > 0) return oneOf;
      const own = await get(client.clientId);
      const [only, another] = own.resources;
      const resource = only && another === undefined ? await findResource(only) : null;
      const asked = ctx.oidc.requestParamScopes;
      const named = resource && grantedResourceScopes(own, resource).some((scope) => asked.has(scope));
      return named ? resource.identifier : undefined;
    },

    /** The token request need not repeat what the authorization request named, unless it asks for OpenID Connect scopes alone. */
    async useGrantedResource(ctx: KoaContextWithOIDC): Promise<boolean> {
      const asked = [...ctx.oidc.requestParamScopes];
      return asked.length === 0 || !asked.every((scope) => scope in OPENID_SCOPES);
    },

    /** Unknown and not given look the same, and there is no fallback to an unrestricted token (RFC 8707 section 2). */
    async getResourceServerInfo(
      _ctx: KoaContextWithOIDC,
      identifier: string,
      client: EngineClient,
    ): Promise<EngineResource> {
      const own = await get(client.clientId);
      const resource = own.resources.includes(identifier) ? await findResource(identifier) : null;
      if (!resource) throw new errors.InvalidTarget('the resource is not known or not available to this client');
      return {
        scope: grantedResourceScopes(own, resource).join(' '),
        audience: resource.identifier,
        accessTokenFormat: resource.accessTokenFormat,
        accessTokenTTL: resource.accessTokenLifetimeSeconds,
        jwt: { sign: { alg: 'ES256' } },
      } as EngineResource;
    },

    /** Single claims must not be a way round the scopes a client was given. */
    async assertClaims(_ctx: KoaContextWithOIDC, claims: object, client: EngineClient): Promise<void> {
      const given = new Set((client.scope ?? '').split(' '));
      for (const claim of Object.values(claims).flatMap((member) => Object.keys(member ?? {}))) {
        const scope = Object.keys(SCOPE_CLAIMS).find((name) => SCOPE_CLAIMS[name]?.includes(claim));
        if (scope !== undefined && !given.has(scope)) {
          throw new errors.InvalidRequest(
            `the claims parameter asks for claims of the scope ${scope}, which the client was not given`,
          );
        }
      }
    },

    /** Anonymous requests are stored until somebody signs in; this much is enough for the longest honest one. */
    checkSize(ctx: KoaContextWithOIDC): void {
      const size = Object.values(ctx.oidc.params ?? {}).join('').length;
      if (size > MAX_REQUEST_CHARACTERS) throw new errors.InvalidRequest('the authorization request is too long');
    },

    /** A SHA-256 in base64url has 43 characters (RFC 7636 4.2); any other challenge could never be met. */
    checkChallenge(ctx: KoaContextWithOIDC): void {
      const challenge = ctx.oidc.params?.code_challenge;
      if (challenge !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(String(challenge))) {
        throw new errors.InvalidRequest('code_challenge must be the 43 characters of a SHA-256 in base64url');
      }
    },

    /** The engine strips offline_access unless prompt=consent. Here asking is enough: the consent page asks for it by name. */
    keepOfflineAccess(ctx: KoaContextWithOIDC, client: EngineClient): void {
      const raw = ctx.query.scope;
      const { params } = ctx.oidc;
      const asked = typeof raw === 'string' && raw.split(' ').includes('offline_access');
      const allowed =
        client.grantTypeAllowed('refresh_token') && (client.scope ?? '').split(' ').includes('offline_access');
      const scope = String(params?.scope ?? '');
      if (params && asked && allowed && !scope.split(' ').includes('offline_access')) {
        params.scope = `${scope} offline_access`.trim();
      }
    },

    /**
     * A grant of what the account allows the client, made for this authorization alone: what ends one must not end another.
     * It is stored when its code is redeemed. What was allowed on the page just now is remembered first.
     */
    async loadExistingGrant(ctx: KoaContextWithOIDC) {
      const { client, session, account, provider, result } = ctx.oidc;
      if (!client || !session || !account) return undefined;
      const { accountId } = account;
      const before = await consents.find(accountId, client.clientId);
      const allowed = allowedNow(result, { accountId, clientId: client.clientId });
      const consent = allowed ? mergeConsent(before, { ...allowed, updatedAt: clock.nowMs() }) : before;
      if (allowed && consent) await remember(ctx, consent, allowed);
      if (!consent) return undefined;
      const grant = new provider.Grant({ accountId, clientId: client.clientId });
      grant.jti = newSecret();
      if (consent.scopes.length > 0) grant.addOIDCScope(consent.scopes.join(' '));
      if (consent.claims.length > 0) grant.addOIDCClaims([...consent.claims]);
      for (const [resource, scopes] of Object.entries(consent.resources))
        grant.addResourceScope(resource, scopes.join(' '));
      return grant;
    },
  };
}
