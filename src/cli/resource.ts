import { type Command, Option } from 'commander';
import type { ResourceServer } from '../domain/resources/resource-server.ts';
import { newId } from '../kit/ids.ts';
import { SHOWN_ONCE } from './client-text.ts';
import { UsageError } from './failure.ts';
import { durationSeconds, repeated } from './input.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { fields, iso, table } from './text.ts';

interface CreateOptions {
  identifier: string;
  name: string;
  scope: string[];
  format: ResourceServer['accessTokenFormat'];
  lifetime?: string;
  clientId?: string;
}

export function addResourceCommands(program: Command): void {
  const resource = program.command('resource').description('resource servers: APIs that accept the tokens');

  resource
    .command('create')
    .description('Register an API, and the client under which it introspects tokens')
    .requiredOption('--identifier <uri>', 'absolute URI; the audience of its tokens')
    .requiredOption('--name <name>', 'what people read on the consent page')
    .requiredOption('--scope <name=description>', "for instance 'read=Read your data'; repeatable", repeated)
    .addOption(new Option('--format <format>', 'of its access tokens').choices(['jwt', 'opaque']).default('jwt'))
    .option('--lifetime <duration>', 'of its access tokens; default: GATEHOUSE_ACCESS_TOKEN_LIFETIME (15m)')
    .option('--client-id <id>', 'of the client it introspects as; default: generated')
    .action(answering(create));
  resource.command('list').description('All resource servers').action(answering(list));
  resource
    .command('delete <identifier>')
    .description('Delete a resource server and the client it introspects as')
    .action(answering(remove));
}

const create = ({ scope, format, lifetime, clientId, ...options }: CreateOptions) =>
  withServices(async ({ manageResources, config }) => {
    const { resource, secret } = await manageResources.create({
      identifier: options.identifier,
      name: options.name,
      scopes: scope.map(readScope),
      accessTokenFormat: format,
      accessTokenLifetimeSeconds:
        lifetime === undefined ? config.lifetimes.accessToken : await durationSeconds('--lifetime', lifetime),
      clientId: clientId ?? newId('client'),
    });
    const shown = fields({
      name: resource.name,
      scopes: resource.scopes.map(({ name, description }) => `${name}: ${description}`),
      'access tokens': `${format}, ${resource.accessTokenLifetimeSeconds} s`,
      'introspects as': resource.clientId,
      secret,
    });
    return {
      json: { ...record(resource), secret },
      text: `Resource server ${resource.identifier} is registered.\n\n${shown}${SHOWN_ONCE}`,
    };
  });

const list = () =>
  withServices(async ({ stores }) => {
    const resources = await stores.resources.list();
    const rows = resources.map(
      ({ identifier, name, scopes, accessTokenFormat, accessTokenLifetimeSeconds, clientId }) => [
        identifier,
        name,
        scopes.map((scope) => scope.name).join(' '),
        `${accessTokenFormat}, ${accessTokenLifetimeSeconds} s`,
        clientId,
      ],
    );
    return {
      json: resources.map(record),
      text: table(
        ['identifier', 'name', 'scopes', 'access tokens', 'introspects as'],
        rows,
        'There are no resource servers. Register one with: gatehouse resource create',
      ),
    };
  });

const remove = (_options: object, identifier: string) =>
  withServices(async ({ manageResources }) => {
    await manageResources.remove(identifier);
    return {
      json: { identifier, deleted: true },
      text: `Resource server ${identifier} is deleted, with the client it introspected as.`,
    };
  });

function readScope(text: string): { name: string; description: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--scope: ${text} has no description; write for instance 'read=Read your data'`);
  return { name: text.slice(0, at), description: text.slice(at + 1).trim() };
}

const record = (resource: ResourceServer) => ({ ...resource, createdAt: iso(resource.createdAt) });
