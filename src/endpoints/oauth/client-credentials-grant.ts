import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { single } from '../../http/parameters.ts';
import { AppError } from '../../kit/errors.ts';
import type { IssueClientToken } from './client-access-token.ts';
import { grantedResourceScopes, resolveResource } from './resources.ts';
import type { BindToken } from './token-binding.ts';
import type { Grant } from './token-endpoint.ts';

/**
 * RFC 6749 4.4, without the engine: with a warm client it costs one write for an opaque token and none for a JWT, and one
 * more for a DPoP proof.
 * Asking for no scope means all the client was given; asking for more than that gets what was given, and says so.
 */
export function createClientCredentialsGrant({
  findResource,
  bindToken,
  issueToken,
}: {
  findResource: (identifier: string) => Promise<ResourceServer | null>;
  bindToken: BindToken;
  issueToken: IssueClientToken;
}): Grant {
  return async ({ ctx, client, parameters }) => {
    const named = parameters.get('resource') ?? [];
    const resource = await resolveResource(client, typeof named === 'string' ? [named] : named, findResource);
    const given = grantedResourceScopes(client, resource);
    const asked = single(parameters, 'scope')?.split(' ');
    const scopes = asked ? given.filter((scope) => asked.includes(scope)) : given;
    if (scopes.length === 0) {
      throw new AppError('invalid_scope', { public: 'none of the requested scopes is available to this client' });
    }
    const scope = scopes.join(' ');
    const { confirmation, tokenType } = await bindToken(ctx, client);
    return {
      access_token: await issueToken({ client, resource, scope, confirmation }),
      token_type: tokenType,
      expires_in: resource.accessTokenLifetimeSeconds,
      scope,
    };
  };
}
