import { AppError } from '../../kit/errors.ts';
import { newId } from '../../kit/ids.ts';
import type { Account } from '../accounts/account.ts';
import type { ApiKey } from './api-key.ts';
import { type Bounds, boundsBeyond, requireNoScopesBeyond } from './authority.ts';
import { conflict, findFor, recordKey } from './change-key.ts';
import type { MintedKey } from './key-format.ts';
import { DAY_MS, isNamespace, keyProblems, requireValid } from './key-rules.ts';
import type { IssuedApiKey, KeyActor, ManageApiKeys, NewApiKey } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';
import { stagePassed } from './warn-expiring.ts';

/** Two of 71 random bits that are equal are not met; a store that says so twice has another fault. */
const ATTEMPTS = 3;
/** How often a key is looked at again that is changed while it makes another. */
const MAKER_ATTEMPTS = 20;

export function createIssueKey(parts: ManageParts): ManageApiKeys['issue'] {
  const { apiKeys, begin, format, digests, keyScopes, authorityOf, clock, announce } = parts;

  return async (input, actor, repeatable) => {
    const request =
      repeatable &&
      begin({
        ...repeatable,
        operation: 'api_key.create',
        caller: [actor.ownerId, actor.id, actor.environment ?? ''],
      });
    const first = await request?.firstAnswer();
    if (first) return repeated(first, actor);

    const owner = await enabledOwner(parts, actor.ownerId);
    const nowMs = clock.nowMs();
    const asked = await checked(input, owner, actor, nowMs);
    if ((await apiKeys.countLive(owner.id, nowMs)) >= parts.maxLiveKeys) {
      throw new AppError('conflict', {
        public: `There are ${parts.maxLiveKeys} live API keys already; revoke some first.`,
      });
    }
    let takenIds = 0;
    for (let attempt = 0; attempt < MAKER_ATTEMPTS && takenIds < ATTEMPTS; attempt += 1) {
      const { ownKey, requireWithin } = await authorityOf(actor);
      const wanted = boundAs(ownKey, asked, input);
      const minted = format.mint(wanted.environment);
      const key = newKey({ ...wanted, ownerId: owner.id, createdBy: actor.id, nowMs }, minted);
      requireWithin(key, owner);
      key.current = digests.make(minted.text);
      const record = request?.record(JSON.stringify({ id: key.id, secret: minted.text }));
      // The maker must still be what the new key was measured by: one that is revoked meanwhile leaves nothing behind.
      const outcome = await (ownKey ? apiKeys.insertMade(key, ownKey, record) : apiKeys.insert(key, record));
      if (outcome.kind === 'repeated' && request) return repeated(request.answerOf(outcome.first), actor);
      if (outcome.kind === 'taken') takenIds += 1;
      if (outcome.kind !== 'inserted') continue;
      await announce(`key:${key.id}`);
      await recordKey(parts, 'api_key.created', key, actor, { environment: key.environment });
      return { key, secret: minted.text, repeated: false };
    }
    if (takenIds < ATTEMPTS) throw conflict('The API key that asks is being changed by others just now.');
    throw new AppError('server_error', { internal: 'no free id for an API key was found' });
  };

  /** The caller may have fewer rights by now than when it asked first. */
  async function repeated(answer: string, actor: KeyActor): Promise<IssuedApiKey> {
    const { id, secret } = JSON.parse(answer) as { id: string; secret: string };
    const { key, owner } = await findFor(parts, id, actor);
    (await authorityOf(actor)).requireWithin(key, owner);
    return { key, secret, repeated: true };
  }

  async function checked(input: NewApiKey, owner: Account, actor: KeyActor, nowMs: number) {
    const { environment = actor.environment ?? (Object.keys(format.environments)[0] as string), namespace } = input;
    const problems = keyProblems(input, nowMs);
    if (!Object.hasOwn(format.environments, environment)) {
      const known = Object.keys(format.environments).join(', ');
      problems.push({ field: 'environment', problem: `use one of ${known}` });
    }
    for (const name of keyScopes.unknown(input.scopes ?? [])) {
      problems.push({ field: 'scopes', problem: `${name.slice(0, 128)} is not a scope of this API` });
    }
    // Live and test data are apart whatever a key asks for.
    const isOwn = async (name: string) =>
      isNamespace(name) && (await apiKeys.listOfNamespace(owner.id, environment, name, 1)).length > 0;
    if (namespace !== undefined && !(await isOwn(namespace))) {
      problems.push({
        field: 'namespace',
        problem: 'use the namespace of another key of yours in this environment, or none for a new one',
      });
    }
    requireValid(problems);
    if (actor.environment !== null && environment !== actor.environment) {
      throw new AppError('insufficient_scope', {
        public: `A key of the environment ${actor.environment} makes keys of that environment only.`,
      });
    }
    const scopes = input.scopes ? [...new Set(input.scopes)] : keyScopes.usual(owner, actor);
    if (scopes.length === 0) {
      const problem = input.scopes
        ? 'name at least one'
        : 'name them; of those that a key gets by itself you may give none';
      requireValid([{ field: 'scopes', problem }]);
    }
    requireNoScopesBeyond(keyScopes.beyond(scopes, owner, actor));
    return {
      name: input.name,
      environment,
      scopes,
      allowedAddresses: input.allowedAddresses ?? [],
      namespace: namespace ?? newId('ns'),
      limit: input.limit ?? null,
      expiresAt: endOf(input, nowMs),
    };
  }

  function endOf({ expiresInDays, expiresAt }: NewApiKey, nowMs: number): number | null {
    if (expiresAt !== undefined) return expiresAt * 1000;
    if (expiresInDays !== undefined) return nowMs + expiresInDays * DAY_MS;
    const { defaultLifetimeSeconds } = parts;
    return defaultLifetimeSeconds === null ? null : nowMs + defaultLifetimeSeconds * 1000;
  }
}

/** Throws not_found, conflict for one that is disabled. */
export async function enabledOwner({ accounts }: Pick<ManageParts, 'accounts'>, id: string): Promise<Account> {
  const owner = await accounts.find(id);
  if (!owner) throw new AppError('not_found', { public: `There is no account ${id}.` });
  if (owner.disabledAt !== null) throw conflict('The account is disabled.');
  return owner;
}

/** A record with nothing behind it yet; it still needs a digest. */
export function newKey(
  {
    nowMs,
    ...wanted
  }: Pick<
    ApiKey,
    | 'name'
    | 'environment'
    | 'scopes'
    | 'allowedAddresses'
    | 'namespace'
    | 'limit'
    | 'expiresAt'
    | 'ownerId'
    | 'createdBy'
  > & { nowMs: number },
  { id, prefix, lastFour }: Pick<MintedKey, 'id' | 'prefix' | 'lastFour'>,
): ApiKey {
  return {
    ...wanted,
    id,
    prefix,
    lastFour,
    current: null,
    previous: null,
    importedDigest: null,
    importedEndsAt: null,
    createdAt: nowMs,
    updatedAt: nowMs,
    revokedAt: null,
    revokeReason: null,
    suspendedAt: null,
    rotatedAt: null,
    rotatedBy: null,
    previousBy: null,
    lastUsedAt: null,
    previousUses: 0,
    previousUsedAt: null,
    warnedDays: wanted.expiresAt === null ? null : stagePassed(wanted.expiresAt - nowMs),
    version: 1,
  };
}

/** What is not asked for is as the maker's own. Throws invalid_request, naming what was asked for beyond it. */
function boundAs<Wanted extends Bounds>(maker: ApiKey | null, wanted: Wanted, input: NewApiKey): Wanted {
  if (!maker) return wanted;
  const asksForEnd = input.expiresAt !== undefined || input.expiresInDays !== undefined;
  const endsFirst =
    !asksForEnd && maker.expiresAt !== null && (wanted.expiresAt ?? Number.POSITIVE_INFINITY) > maker.expiresAt;
  const bound: Wanted = {
    ...wanted,
    expiresAt: endsFirst ? maker.expiresAt : wanted.expiresAt,
    allowedAddresses: wanted.allowedAddresses.length > 0 ? wanted.allowedAddresses : maker.allowedAddresses,
    limit: wanted.limit ?? maker.limit,
  };
  const problem = 'is beyond that of the key that asks';
  const nameOf = (bound: string) =>
    bound === 'expires_at' && input.expiresAt === undefined ? 'expires_in_days' : bound;
  requireValid(boundsBeyond(bound, maker).map((bound) => ({ field: nameOf(bound), problem })));
  return bound;
}
