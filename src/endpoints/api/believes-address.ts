import type { Context } from 'koa';
import type { Client } from '../../domain/clients/client.ts';
import { USE_PROVIDER_KEYS } from '../../domain/scopes/scope.ts';
import { factsOf } from '../../http/request-context.ts';
import { AppError } from '../../kit/errors.ts';

/**
 * Whose word counts on another's request: the address it came from, its method and URL, the certificate of its sender. A key is good
 * from some addresses only, so a thief elsewhere must not learn whether it is a key. Otherwise anybody could ask in the name of each
 * address, and of the certificate that a stolen token is bound to.
 *
 * A trusted proxy that asks for itself is believed, and a resource server that authenticates as at introspection. What came through
 * a trusted proxy is the word of its sender. Throws insufficient_scope, never a 401, for a proof that is wrong: the credential
 * that is asked about has nothing to do with it.
 */
export function createBelievesAddress({
  authenticateCaller,
  isTrustedProxy,
}: {
  authenticateCaller: (ctx: Context) => Promise<{ client: Client; scopes: readonly string[] }>;
  isTrustedProxy: (address: string) => boolean;
}): (ctx: Context) => Promise<boolean> {
  return async (ctx) => {
    if (isTrustedProxy(factsOf(ctx).ip)) return true;
    if (ctx.get('x-gateway-authorization') === '' && !/^basic /i.test(ctx.get('authorization'))) return false;
    const proof = await authenticateCaller(ctx).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.entry.status >= 500) throw error;
      throw refused('The resource server did not authenticate; its operator must mend that.');
    });
    if (isResourceServer(proof)) return true;
    throw refused('This client is no resource server, so its word on the request of another does not count.');
  };
}

/** Clients of resource servers get no tokens. Those of users, and apps, are no more than strangers here. */
const isResourceServer = ({ client, scopes }: { client: Client; scopes: readonly string[] }): boolean =>
  client.ownerId === null && (client.grantTypes.length === 0 || scopes.includes(USE_PROVIDER_KEYS));

const refused = (text: string): AppError => new AppError('insufficient_scope', { public: text });
