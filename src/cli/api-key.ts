import type { Command } from 'commander';
import { normalizeEmail } from '../domain/accounts/account.ts';
import { type ApiKey, stateOf } from '../domain/api-keys/api-key.ts';
import type { KeyActor } from '../domain/api-keys/manage-api-keys.ts';
import type { LimitQuota } from '../domain/limits/limit-rule.ts';
import { AppError } from '../kit/errors.ts';
import type { Services } from '../services.ts';
import { apiKeyRecord, issuedFields, maskOf, oldSecretEndsAt, SHOWN_ONCE } from './api-key-text.ts';
import { UsageError } from './failure.ts';
import { durationSeconds, given, repeated, words } from './input.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { isoOrNull, table, time } from './text.ts';

interface CreateOptions {
  owner: string;
  name: string;
  environment?: string;
  scope?: string[];
  expiresInDays?: string;
  allowAddress?: string[];
  namespace?: string;
  limit?: string;
}

export function addApiKeyCommands(program: Command): void {
  const apiKey = program.command('api-key').description('API keys: what accounts call the API with');

  apiKey
    .command('create')
    .description('Make a key for an account. What is not given is what most keys need.')
    .requiredOption('--owner <email-or-id>', 'the account it acts for')
    .requiredOption('--name <name>', 'what its owner knows it by')
    .option('--environment <name>', 'default: the first one configured')
    .option('--scope <scope>', 'what it may do; repeatable or separated by spaces', words)
    .option('--expires-in-days <days>', '1 to 3650')
    .option('--allow-address <range>', 'address or CIDR range it may be used from; repeatable', repeated)
    .option('--namespace <namespace>', 'of another key of the owner, to share its data; default: a new one')
    .option('--limit <quota>', 'a limit of its own, for instance 100/60s')
    .action(answering(create));
  apiKey
    .command('list')
    .description('The keys of an account, newest first; revoked ones included')
    .requiredOption('--owner <email-or-id>')
    .action(answering(list));
  apiKey
    .command('rotate <id>')
    .description('Give a key a new secret; the old one works until the overlap ends')
    .option('--overlap <duration>', '0 ends the old one at once; at most 7d', '24h')
    .action(answering(rotate));
  apiKey
    .command('revoke <id>')
    .description('End a key at once, an overlap included. It cannot be undone.')
    .option('--reason <text>', 'for its owner and the audit trail', 'revoked by the operator')
    .option('--descendants', 'end the keys that it made too, at any distance')
    .action(answering(revoke));
  apiKey
    .command('resume <id>')
    .description('Let a key work again that was suspended because it was reported as leaked')
    .action(answering(resume));
  apiKey
    .command('import [file]')
    .description(
      'Take over the keys of another system by their digests: a JSON object a line, of a file or standard input',
    )
    .addHelpText('after', IMPORT_HELP)
    .action(answering(importKeys));
}

const IMPORT_HELP = `
Each line: {"owner": "<email or account id>", "name": "…", "digest": "<hex or base64url>", "algorithm": "sha256"}
and, if you like, environment, scopes, prefix, last_four, expires_at (seconds) and namespace.
algorithm is sha256 of the whole key, or hmac-sha256 under GATEHOUSE_IMPORT_HMAC_KEY.
Run it again after a failure: what was imported stays as it is.`;

const create = (options: CreateOptions) =>
  withServices(async ({ stores, manageApiKeys, clock }) => {
    const limit = options.limit === undefined ? undefined : await readLimit(options.limit);
    const issued = await manageApiKeys.issue(
      {
        name: options.name,
        ...given({
          environment: options.environment,
          scopes: options.scope,
          expiresInDays: options.expiresInDays === undefined ? undefined : Number(options.expiresInDays),
          allowedAddresses: options.allowAddress,
          namespace: options.namespace,
          limit,
        }),
      },
      operatorFor(await ownerId(stores, options.owner)),
    );
    const { key, secret } = issued;
    return {
      json: { ...apiKeyRecord(key, clock.nowMs()), key: secret },
      text: `API key ${key.id} is made.\n\n${issuedFields(issued)}${SHOWN_ONCE}`,
    };
  });

const list = ({ owner }: { owner: string }) =>
  withServices(async ({ stores, manageApiKeys, clock }) => {
    const actor = operatorFor(await ownerId(stores, owner));
    const limit = 500;
    const keys: ApiKey[] = [];
    for (let page = await manageApiKeys.list({ limit }, actor); ; ) {
      keys.push(...page);
      const after = page.at(-1);
      if (!after || page.length < limit) break;
      page = await manageApiKeys.list({ limit, after }, actor);
    }
    const nowMs = clock.nowMs();
    const rows = keys.map((key) => [
      ...[key.id, maskOf(key), key.name, key.environment, stateOf(key, nowMs)],
      ...[key.expiresAt === null ? 'never' : time(key.expiresAt), key.lastUsedAt === null ? '' : time(key.lastUsedAt)],
    ]);
    return {
      json: keys.map((key) => apiKeyRecord(key, nowMs)),
      text: table(
        ['id', 'key', 'name', 'environment', 'state', 'expires', 'last used'],
        rows,
        'The account has no API keys. Make one with: gatehouse api-key create',
      ),
    };
  });

const rotate = ({ overlap }: { overlap: string }, id: string) =>
  withServices(async (services) => {
    const { manageApiKeys, clock } = services;
    const actor = await operatorOf(services, id);
    const { key, secret } = await manageApiKeys.rotate(id, await durationSeconds('--overlap', overlap), actor);
    const endsAt = oldSecretEndsAt(key);
    const isLeft = endsAt !== null && endsAt > clock.nowMs();
    return {
      json: { ...apiKeyRecord(key, clock.nowMs()), key: secret, oldSecretEndsAt: isoOrNull(isLeft ? endsAt : null) },
      text: [
        `API key ${id} has a new secret:\n\n  ${secret}${SHOWN_ONCE}`,
        isLeft ? `The old secret works until ${time(endsAt)}.` : 'The old secret has ended.',
      ].join('\n'),
    };
  });

const revoke = ({ reason, descendants = false }: { reason: string; descendants?: boolean }, id: string) =>
  withServices(async (services) => {
    const actor = await operatorOf(services, id);
    const { key, descendants: ended } = descendants
      ? await services.manageApiKeys.revokeFamily(id, reason, actor)
      : { key: await services.manageApiKeys.revoke(id, reason, actor), descendants: [] };
    const ids = ended.map((made) => made.id);
    return {
      json: { ...apiKeyRecord(key, services.clock.nowMs()), ...(descendants ? { revokedDescendants: ids } : {}) },
      text: [
        `API key ${id} (${key.name}) is revoked. Every server refuses it within seconds.`,
        ...(descendants ? [`Keys that it made and that ended with it: ${ids.join(', ') || 'none'}.`] : []),
      ].join('\n'),
    };
  });

const resume = (_options: object, id: string) =>
  withServices(async (services) => {
    const key = await services.manageApiKeys.resume(id, await operatorOf(services, id));
    return { json: apiKeyRecord(key, services.clock.nowMs()), text: `API key ${id} (${key.name}) works again.` };
  });

const importKeys = (_options: object, file?: string) =>
  withServices(async ({ manageApiKeys }) => {
    const { importApiKeys } = await import('./import-api-keys.ts');
    return importApiKeys(manageApiKeys, file);
  });

const operatorFor = (owner: string): KeyActor => ({
  ownerId: owner,
  id: 'operator',
  scopes: null,
  environment: null,
  keyId: null,
  isApp: false,
  ip: null,
  requestId: null,
});

/** Keys are managed in the name of their owners, the operator's too. */
async function operatorOf({ stores }: Services, id: string): Promise<KeyActor> {
  const found = await stores.apiKeys.find(id);
  if (!found) throw new AppError('not_found', { public: `There is no API key ${id}.` });
  return operatorFor(found.owner.id);
}

async function ownerId({ accounts }: Services['stores'], who: string): Promise<string> {
  const email = normalizeEmail(who);
  const account = await (email === null ? accounts.find(who) : accounts.findByEmail(email));
  if (!account) throw new AppError('not_found', { public: `There is no account ${who}.` });
  return account.id;
}

/** `100/60s` */
async function readLimit(text: string): Promise<LimitQuota> {
  const [quota = '', window = '', ...rest] = text.split('/');
  if (!/^\d+$/.test(quota) || rest.length > 0) {
    throw new UsageError(`--limit: ${text} is no limit; use for instance 100/60s`);
  }
  return { quota: Number(quota), windowSeconds: await durationSeconds('--limit', window) };
}
