import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { isDisplayName, isScopeName, OPENID_SCOPES } from '../clients/client-rules.ts';
import type { ManageClients } from '../clients/manage-clients.ts';
import { isResourceIdentifier, type ResourceServer } from './resource-server.ts';
import type { ResourceServerStore } from './resource-server-store.ts';

export interface ManageResources {
  /** Creates the resource server and the client under which it introspects; `secret` is shown once. */
  create(input: Omit<ResourceServer, 'createdAt'>): Promise<{ resource: ResourceServer; secret: string | null }>;
  remove(identifier: string): Promise<void>;
}

export function createManageResources({
  resources,
  manageClients,
  audit,
  clock,
  ownIdentifier,
  onChanged,
}: {
  resources: ResourceServerStore;
  manageClients: Pick<ManageClients, 'create' | 'remove'>;
  audit: RecordAudit;
  clock: Clock;
  /** Our own API, which is a resource server already. */
  ownIdentifier: string;
  /** Tells every process to forget what it cached of this resource server. */
  onChanged: (identifier: string) => Promise<void>;
}): ManageResources {
  return {
    async create(input) {
      const problems = resourceProblems(input);
      if (input.identifier === ownIdentifier || (await resources.find(input.identifier)))
        problems.push('identifier: there is such a resource server already');
      if (problems.length > 0) throw new AppError('invalid_request', { public: problems.join('; ') });
      const resource: ResourceServer = { ...input, createdAt: clock.nowMs() };
      // The client first: a resource server without a client could never introspect, a client without one can do nothing.
      const { secret } = await manageClients.create({
        id: input.clientId,
        name: input.name,
        applicationType: 'web',
        authMethod: 'client_secret_basic',
        grantTypes: [],
        redirectUris: [],
        postLogoutRedirectUris: [],
        scopes: [],
        resources: [],
        allowedOrigins: [],
        requirePkce: true,
        jwks: [],
        certificateThumbprints: [],
        tokenBinding: null,
        ownerId: null,
      });
      if (!(await resources.insert(resource))) {
        await manageClients.remove(input.clientId);
        throw new AppError('invalid_request', { public: 'identifier: there is such a resource server already' });
      }
      await audit('resource.created', { clientId: input.clientId, details: { resource: input.identifier } });
      return { resource, secret };
    },
    async remove(identifier) {
      const resource = await resources.find(identifier);
      if (!resource || !(await resources.remove(identifier))) {
        throw new AppError('not_found', { public: `There is no resource server ${identifier}.` });
      }
      await onChanged(identifier);
      await manageClients.remove(resource.clientId);
      await audit('resource.deleted', { clientId: resource.clientId, details: { resource: identifier } });
    },
  };
}

function resourceProblems(input: Omit<ResourceServer, 'createdAt'>): string[] {
  const problems: string[] = [];
  if (!isResourceIdentifier(input.identifier)) problems.push('identifier: use an absolute URI without a fragment');
  if (!isDisplayName(input.name)) problems.push('name: use 1 to 120 printable characters');
  if (input.scopes.length === 0) problems.push('scopes: name at least one');
  for (const { name, description } of input.scopes) {
    if (!isScopeName(name)) problems.push(`scopes: ${name} is not a scope name`);
    if (name in OPENID_SCOPES) problems.push(`scopes: ${name} belongs to OpenID Connect`);
    if (!isDisplayName(description)) problems.push(`scopes: ${name} needs words that an end user understands`);
  }
  if (input.accessTokenLifetimeSeconds < 60 || input.accessTokenLifetimeSeconds > 3600) {
    problems.push('accessTokenLifetimeSeconds: use 60 to 3600');
  }
  return problems;
}
