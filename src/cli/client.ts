import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  CLIENT_AUTH_METHODS,
  type ClientAuthMethod,
  GRANT_TYPES,
  type GrantType,
  type PublicJwk,
  TOKEN_BINDINGS,
  type TokenBinding,
} from '../domain/clients/client.ts';
import { CLIENT_KINDS, type ClientKind, clientOfKind } from '../domain/clients/client-kinds.ts';
import { newId } from '../kit/ids.ts';
import { certificateThumbprint } from '../kit/thumbprint.ts';
import type { Services } from '../services.ts';
import { clientFields, clientRecord, SHOWN_ONCE } from './client-text.ts';
import { UsageError } from './failure.ts';
import { durationSeconds, everyPage, given, repeated, words } from './input.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { isoOrNull, table, time } from './text.ts';

interface MetadataOptions {
  name?: string;
  redirectUri?: string[];
  postLogoutRedirectUri?: string[];
  scope?: string[];
  resource?: string[];
  origin?: string[];
  grant?: GrantType[];
  pkce?: boolean;
  jwks?: string;
  certificate?: string[];
  tokenBinding?: TokenBinding | 'none';
}

/** Shared by create and update. */
function withMetadata(command: Command): Command {
  return command
    .option('--redirect-uri <uri>', 'where answers may be sent; repeatable', repeated)
    .option('--post-logout-redirect-uri <uri>', 'where people may go after signing out; repeatable', repeated)
    .option('--scope <scope>', 'what it may ask for; repeatable or separated by spaces', words)
    .option('--resource <identifier>', 'resource server it may get tokens for; repeatable', repeated)
    .option('--origin <origin>', 'browser origin that may call the token endpoint; repeatable', repeated)
    .option('--grant <type>', `${GRANT_TYPES.join(', ')}; repeatable`, repeated)
    .option('--jwks <file>', 'its public keys, for private_key_jwt: a JWK Set or one JWK')
    .option('--certificate <file>', 'its certificate (PEM), for self_signed_tls_client_auth; repeatable', repeated)
    .addOption(
      new Option('--token-binding <kind>', 'tokens only for the holder of a DPoP key or a client certificate').choices([
        ...TOKEN_BINDINGS,
        'none',
      ]),
    );
}

export function addClientCommands(program: Command): void {
  const client = program.command('client').description('OAuth clients: applications that get tokens');

  withMetadata(
    client
      .command('create')
      .description('Register a client. What is not given is what most clients of its type need.')
      .addOption(new Option('--type <type>', 'what it is').choices(CLIENT_KINDS).makeOptionMandatory())
      .requiredOption('--name <name>', 'what people read on the consent page')
      .option('--id <id>', 'default: generated')
      .addOption(new Option('--auth-method <method>', 'how it authenticates').choices(CLIENT_AUTH_METHODS))
      .option('--no-pkce', 'do not ask for PKCE (confidential clients that cannot do it)'),
  ).action(answering(create));

  client.command('list').description('All clients').action(answering(list));
  client.command('show <id>').description('Everything about a client but its secret').action(answering(show));
  withMetadata(
    client
      .command('update <id>')
      .description("Change a client. A list given replaces the old one; '' empties it.")
      .option('--name <name>', 'what people read on the consent page')
      .option('--pkce', 'ask for PKCE')
      .option('--no-pkce', 'do not ask for PKCE (confidential clients that cannot do it)'),
  ).action(answering(update));
  client
    .command('rotate-secret <id>')
    .description('Issue a new secret; the old one works until the overlap ends')
    .option('--overlap <duration>', '0 ends the old one at once', '24h')
    .action(answering(rotateSecret));
  client.command('delete <id>').description('Delete a client, with its tokens and consents').action(answering(remove));
}

type CreateOptions = MetadataOptions & { type: ClientKind; name: string; id?: string; authMethod?: ClientAuthMethod };

const create = (options: CreateOptions) =>
  withServices(async (services) => {
    // Commander fills in the positive of --no-pkce; the rest is there only when it was given.
    const input = clientOfKind(options.type, {
      ...given({ ...changeOf(options), authMethod: options.authMethod }),
      id: options.id ?? newId('client'),
      name: options.name,
    });
    const { client, secret } = await services.manageClients.create(input);
    return {
      json: { ...clientRecord(client), secret },
      text: `Client ${client.id} is registered.\n\n${clientFields(client, secret)}${secret ? SHOWN_ONCE : ''}`,
      notes: await missingResources(services, client.resources),
    };
  });

const list = () =>
  withServices(async ({ stores }) => {
    const clients = await everyPage(stores.clients.list, (client) => client.id);
    const rows = clients.map((client) => [client.id, client.name, client.authMethod, client.grantTypes.join(' ')]);
    return {
      json: clients.map(clientRecord),
      text: table(
        ['id', 'name', 'authentication', 'grants'],
        rows,
        'There are no clients. Register one with: gatehouse client create',
      ),
    };
  });

const show = (_options: object, id: string) =>
  withServices(async ({ manageClients }) => {
    const client = await manageClients.get(id);
    return { json: clientRecord(client), text: clientFields(client) };
  });

const update = (options: MetadataOptions, id: string) =>
  withServices(async (services) => {
    const change = given(changeOf(options));
    if (Object.keys(change).length === 0) throw new UsageError('say what to change');
    const client = await services.manageClients.update(id, change);
    return {
      json: clientRecord(client),
      text: `Client ${id} is changed.\n\n${clientFields(client)}`,
      notes: await missingResources(services, change.resources ?? []),
    };
  });

const rotateSecret = ({ overlap }: { overlap: string }, id: string) =>
  withServices(async ({ manageClients }) => {
    const { client, secret } = await manageClients.rotateSecret(id, await durationSeconds('--overlap', overlap));
    const endsAt = client.secrets.at(-2)?.expiresAt ?? null;
    return {
      json: { ...clientRecord(client), secret, oldSecretEndsAt: isoOrNull(endsAt) },
      text: [
        `Client ${id} has a new secret:\n\n  ${secret}${SHOWN_ONCE}`,
        endsAt === null ? 'The old secret has ended.' : `The old secret works until ${time(endsAt)}.`,
      ].join('\n'),
    };
  });

const remove = (_options: object, id: string) =>
  withServices(async ({ manageClients }) => {
    await manageClients.remove(id);
    return { json: { id, deleted: true }, text: `Client ${id} is deleted, with its tokens and consents.` };
  });

const changeOf = (options: MetadataOptions) => ({
  name: options.name,
  redirectUris: options.redirectUri,
  postLogoutRedirectUris: options.postLogoutRedirectUri,
  scopes: options.scope,
  resources: options.resource,
  allowedOrigins: options.origin,
  grantTypes: options.grant,
  requirePkce: options.pkce,
  jwks: options.jwks === undefined ? undefined : readJwks(options.jwks),
  certificateThumbprints: options.certificate?.map(readThumbprint),
  tokenBinding: options.tokenBinding === 'none' ? null : options.tokenBinding,
});

/** A JWK Set or a single JWK. What the keys may be is for the domain to say. */
function readJwks(file: string): PublicJwk[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `--jwks: ${file} cannot be read as JSON (${(error as NodeJS.ErrnoException).code ?? 'syntax'})`,
    );
  }
  const keys = (content as { keys?: unknown } | null)?.keys ?? [content];
  const areKeys =
    Array.isArray(keys) && keys.every((key) => typeof (key as { kty?: unknown } | null)?.kty === 'string');
  if (!areKeys) throw new UsageError(`--jwks: ${file} is neither a JWK Set nor a JWK`);
  return keys as PublicJwk[];
}

/** Of the certificate in a PEM or DER file; the certificate itself is not kept. */
function readThumbprint(file: string): string {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new UsageError(`--certificate: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const thumbprint = certificateThumbprint(content);
  if (thumbprint === null) throw new UsageError(`--certificate: ${file} is not a certificate in PEM or DER`);
  return thumbprint;
}

/** Allowed, since the order of set-up is the operator's; but until it exists, every request for it fails. */
async function missingResources({ stores }: Services, identifiers: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const identifier of identifiers) if (!(await stores.resources.find(identifier))) missing.push(identifier);
  return missing.map((identifier) => `There is no resource server ${identifier} yet: gatehouse resource create --help`);
}
