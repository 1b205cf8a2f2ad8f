import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import type { ChangeOrigin } from '../accounts/manage-accounts.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { AuditType } from '../audit/audit-event.ts';
import type { ConsentStore } from '../consents/consent-store.ts';
import type { TokenStore } from '../tokens/token-store.ts';
import type { Client } from './client.ts';
import { isPublicClient } from './client.ts';
import { clientProblems } from './client-rules.ts';
import { issueSecret, MAX_OVERLAP_SECONDS, rotateSecrets } from './client-secrets.ts';
import type { ClientStore } from './client-store.ts';

/** An old secret that never ends is no rotation. */

export type NewClient = Omit<Client, 'secrets' | 'createdAt' | 'updatedAt'>;
export type ClientChange = Partial<Omit<Client, 'id' | 'secrets' | 'createdAt' | 'updatedAt' | 'authMethod'>>;

/** `from`: the request of the user who asks; none at the command line. Events of a user's client name its owner either way. */
export interface ManageClients {
  /** `secret` is shown once; null for clients that have none. Throws invalid_request naming every problem. */
  create(input: NewClient, from?: ChangeOrigin): Promise<{ client: Client; secret: string | null }>;
  update(id: string, change: ClientChange): Promise<Client>;
  /** Both secrets work until the overlap ends; 0 ends the old ones at once. */
  rotateSecret(id: string, overlapSeconds: number, from?: ChangeOrigin): Promise<{ client: Client; secret: string }>;
  /** Its tokens, grants and remembered consents go with it. */
  remove(id: string, from?: ChangeOrigin): Promise<void>;
  get(id: string): Promise<Client>;
}

export function createManageClients({
  clients,
  tokens,
  consents,
  audit,
  digester,
  clock,
  isResourceServer,
  onChanged,
}: {
  clients: ClientStore;
  tokens: TokenStore;
  consents: ConsentStore;
  audit: RecordAudit;
  digester: Digester;
  clock: Clock;
  /** Whether a resource server introspects as this client. */
  isResourceServer: (clientId: string) => Promise<boolean>;
  /** Tells every process to forget what it cached of this client. */
  onChanged: (clientId: string) => Promise<void>;
}): ManageClients {
  const usesSecret = (client: Pick<Client, 'authMethod'>): boolean => client.authMethod.startsWith('client_secret');

  async function get(id: string): Promise<Client> {
    const client = await clients.find(id);
    if (!client) throw new AppError('not_found', { public: `There is no client ${id}.` });
    return client;
  }

  function check(client: Client): void {
    const problems = clientProblems(client);
    if (problems.length > 0) throw new AppError('invalid_request', { public: problems.join('; ') });
  }

  async function replace(before: Client, after: Client): Promise<Client> {
    const next = { ...after, updatedAt: Math.max(clock.nowMs(), before.updatedAt + 1) };
    check(next);
    if (!(await clients.update(next, before.updatedAt))) {
      throw new AppError('invalid_request', {
        public: `Client ${before.id} was changed by someone else just now; try again.`,
      });
    }
    await onChanged(before.id);
    return next;
  }

  const record = (
    type: AuditType,
    { id: clientId, ownerId: accountId }: Pick<Client, 'id' | 'ownerId'>,
    from: ChangeOrigin | undefined,
    details: Readonly<Record<string, string | number>> = {},
  ): Promise<void> =>
    audit(type, { clientId, accountId, ip: from?.ip ?? null, requestId: from?.requestId ?? null, details });

  return {
    get,
    async create(input, from) {
      const nowMs = clock.nowMs();
      const issued = usesSecret(input) ? issueSecret(digester, input.id, nowMs) : null;
      const client: Client = { ...input, secrets: issued ? [issued.stored] : [], createdAt: nowMs, updatedAt: nowMs };
      check(client);
      if (!(await clients.insert(client)))
        throw new AppError('invalid_request', { public: `The client id ${input.id} is taken.` });
      await record('client.created', client, from);
      return { client, secret: issued?.secret ?? null };
    },
    async update(id, change) {
      const before = await get(id);
      const client = await replace(before, { ...before, ...change });
      await record('client.updated', client, undefined, { fields: Object.keys(change).join(' ') });
      return client;
    },
    async rotateSecret(id, overlapSeconds, from) {
      if (overlapSeconds > MAX_OVERLAP_SECONDS) {
        throw new AppError('invalid_request', {
          public: `overlapSeconds: use at most ${MAX_OVERLAP_SECONDS} (90 days)`,
        });
      }
      const before = await get(id);
      if (isPublicClient(before) || !usesSecret(before)) {
        throw new AppError('invalid_request', {
          public: `Client ${id} authenticates by ${before.authMethod} and has no secret.`,
        });
      }
      const nowMs = clock.nowMs();
      const { secret, stored } = issueSecret(digester, id, nowMs);
      const client = await replace(before, {
        ...before,
        secrets: rotateSecrets(before.secrets, stored, overlapSeconds, nowMs),
      });
      await record('client.secret_rotated', client, from, { overlapSeconds });
      return { client, secret };
    },
    async remove(id, from) {
      if (await isResourceServer(id)) {
        throw new AppError('invalid_request', {
          public: `A resource server introspects as ${id}; delete the resource server.`,
        });
      }
      const ownerId = (await clients.find(id))?.ownerId ?? null;
      if (!(await clients.remove(id))) throw new AppError('not_found', { public: `There is no client ${id}.` });
      await onChanged(id);
      await tokens.removeByClient(id);
      await consents.removeByClient(id);
      await record('client.deleted', { id, ownerId }, from);
    },
  };
}
