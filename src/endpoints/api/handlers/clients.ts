import type { AccountStore } from '../../../domain/accounts/account-store.ts';
import type { Client, PublicJwk } from '../../../domain/clients/client.ts';
import { clientOfKind } from '../../../domain/clients/client-kinds.ts';
import type { ClientStore } from '../../../domain/clients/client-store.ts';
import type { ManageClients } from '../../../domain/clients/manage-clients.ts';
import { AppError } from '../../../kit/errors.ts';
import { newId } from '../../../kit/ids.ts';
import { clientAnswer } from '../answers.ts';
import { type Call, type Handlers, who } from '../call.ts';

type ClientHandlers = Pick<Handlers, 'listClients' | 'createClient' | 'rotateClientSecret' | 'removeClient'>;

/** However many machines a person runs. */
const MAX_CLIENTS = 100;

/** Clients that users make for their own machines: client credentials, with no more scopes than their maker has. */
export function createClientHandlers({
  clients,
  manageClients,
  accounts,
  scopesOf,
  defaultScopes,
  resource,
}: {
  clients: Pick<ClientStore, 'listByOwner'>;
  manageClients: ManageClients;
  accounts: Pick<AccountStore, 'find'>;
  /** What an account may hand on. */
  scopesOf: (account: NonNullable<Awaited<ReturnType<AccountStore['find']>>>) => readonly string[];
  defaultScopes: readonly string[];
  /** The identifier of the API that their tokens are for. */
  resource: string;
}): ClientHandlers {
  async function get(id: string, call: Call): Promise<Client> {
    const mine = (await clients.listByOwner(who(call).subject)).find((client) => client.id === id);
    if (!mine) throw new AppError('not_found', { public: 'You have no such client.' });
    return mine;
  }

  return {
    async listClients(_input, call) {
      return { data: (await clients.listByOwner(who(call).subject)).map(clientAnswer) };
    },
    async createClient(
      { name, scopes, token_endpoint_auth_method: authMethod, jwks, token_binding: tokenBinding },
      call,
    ) {
      const account = await accounts.find(who(call).subject);
      if (!account) throw new AppError('unauthenticated');
      const count = async (): Promise<number> => (await clients.listByOwner(account.id)).length;
      if ((await count()) >= MAX_CLIENTS) throw tooMany();
      const may = scopesOf(account);
      const beyond = (scopes ?? []).find((scope) => !may.includes(scope));
      if (beyond !== undefined) {
        throw new AppError('insufficient_scope', {
          public: `You do not have the scope ${beyond}.`,
          facts: { scope: beyond },
        });
      }
      const { client, secret } = await manageClients.create(
        clientOfKind('machine', {
          id: newId('cli'),
          name,
          authMethod,
          scopes: scopes ?? defaultScopes.filter((scope) => may.includes(scope)),
          resources: [resource],
          jwks: (jwks?.keys ?? []) as PublicJwk[],
          tokenBinding: tokenBinding ?? null,
          ownerId: account.id,
        }),
        originOf(call),
      );
      // Others may have been made at the same moment: then none stays that makes it too many.
      if ((await count()) > MAX_CLIENTS) {
        await manageClients.remove(client.id, originOf(call));
        throw tooMany();
      }
      return { ...clientAnswer(client), client_secret: secret };
    },
    async rotateClientSecret({ id, overlap_seconds: overlapSeconds }, call) {
      await get(id, call);
      const { client, secret } = await manageClients.rotateSecret(id, overlapSeconds, originOf(call));
      return { ...clientAnswer(client), client_secret: secret };
    },
    async removeClient({ id }, call) {
      await get(id, call);
      await manageClients.remove(id, originOf(call));
      return null;
    },
  };
}

/** Whose request it was, for the audit trail. */
const originOf = ({ facts: { ip, requestId } }: Call) => ({ ip, requestId });

const tooMany = (): AppError =>
  new AppError('conflict', { public: `You have ${MAX_CLIENTS} clients; delete one first.` });
