import type { Client } from '../../domain/clients/client.ts';
import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import { AppError } from '../../kit/errors.ts';

/** The scopes of a resource server that this client was given, in the resource server's order. */
export function grantedResourceScopes(client: Client, resource: ResourceServer): string[] {
  const own = new Set(client.scopes);
  return resource.scopes.map((scope) => scope.name).filter((name) => own.has(name));
}

/**
 * The resource server a request is for: the one it names, or the client's only one when it names none (RFC 8707).
 * Throws invalid_target for one that does not exist or was not given to this client: both look the same.
 */
export async function resolveResource(
  client: Client,
  named: readonly string[],
  find: (identifier: string) => Promise<ResourceServer | null>,
): Promise<ResourceServer> {
  const asked = named.length > 0 ? named : client.resources;
  const [identifier] = asked;
  if (identifier === undefined) {
    throw new AppError('invalid_target', { public: 'this client was given no resource server' });
  }
  if (asked.length > 1) {
    const how = named.length > 0 ? 'name one resource at a time' : 'name one of the resources of this client';
    throw new AppError('invalid_target', { public: how });
  }
  const resource = client.resources.includes(identifier) ? await find(identifier) : null;
  if (!resource)
    throw new AppError('invalid_target', { public: 'the resource is not known or not available to this client' });
  return resource;
}
