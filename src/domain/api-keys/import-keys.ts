import { newId } from '../../kit/ids.ts';
import { type Account, normalizeEmail } from '../accounts/account.ts';
import type { ApiKey } from './api-key.ts';
import { hexDigestOf } from './imported-digests.ts';
import { newKey } from './issue-key.ts';
import { isNamespace, keyProblems, requireValid } from './key-rules.ts';
import type { ImportedApiKey, ImportOutcome, ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

export const MAX_IMPORT = 1000;
/** The problem of a line whose key is here already: no failure of an import that is run again. */
export const ALREADY_IMPORTED = 'already imported';

/** An operator gives an owner whatever the owner may have. */
const OPERATOR = { scopes: null };
const OPERATOR_ID = 'operator';

export function createImportKeys(parts: ManageParts): ManageApiKeys['importMany'] {
  const { apiKeys, accounts, format, imported, keyScopes, audit, announce, clock } = parts;

  return async (lines) => {
    if (lines.length > MAX_IMPORT) {
      requireValid([{ field: 'keys', problem: `import at most ${MAX_IMPORT} at a time` }]);
    }
    const owners = new Map<string, Account | null>();
    const seen = new Set<string>();
    const keys: ApiKey[] = [];
    const read: (ApiKey | string)[] = [];
    for (const line of lines) {
      const key = keyOf(line, await ownerOf(line.owner, owners));
      if (typeof key === 'string' || key.importedDigest === null) read.push(key);
      else if (seen.has(key.importedDigest)) read.push(ALREADY_IMPORTED);
      else {
        seen.add(key.importedDigest);
        keys.push(key);
        read.push(key);
      }
    }
    const inserted = new Set(keys.length > 0 ? await apiKeys.insertMany(keys) : []);
    if (inserted.size > 0) {
      await announce('imported');
      const added = Map.groupBy(
        keys.filter(({ id }) => inserted.has(id)),
        ({ ownerId }) => ownerId,
      );
      for (const [accountId, { length: count }] of added) {
        await audit('api_key.imported', { accountId, details: { count, by: OPERATOR_ID } });
      }
    }
    return read.map((key, index): ImportOutcome => {
      const line = index + 1;
      if (typeof key === 'string') return { line, problem: key };
      return inserted.has(key.id) ? { line, id: key.id } : { line, problem: ALREADY_IMPORTED };
    });
  };

  async function ownerOf(who: string, known: Map<string, Account | null>): Promise<Account | null> {
    const email = normalizeEmail(who);
    const name = email ?? who;
    const before = known.get(name);
    if (before !== undefined) return before;
    const owner = await (email === null ? accounts.find(who) : accounts.findByEmail(email));
    known.set(name, owner);
    return owner;
  }

  /** The key of a line, or everything that is wrong with it. */
  function keyOf(line: ImportedApiKey, owner: Account | null): ApiKey | string {
    const { environment = Object.keys(format.environments)[0] as string, algorithm, prefix = '', lastFour = '' } = line;
    const nowMs = clock.nowMs();
    const problems = keyProblems({ name: line.name, expiresAt: line.expiresAt }, nowMs);
    const add = (field: string, problem: string): void => void problems.push({ field, problem });
    const digest = hexDigestOf(line.digest);
    if (!owner) add('owner', 'there is no such account');
    if (!Object.hasOwn(format.environments, environment)) add('environment', 'is not configured');
    if (digest === null) add('digest', 'is no SHA-256 in hex or base64url');
    if (!imported.supports(algorithm)) {
      add('algorithm', algorithm === 'hmac-sha256' ? 'needs GATEHOUSE_IMPORT_HMAC_KEY' : 'use sha256 or hmac-sha256');
    }
    if (!/^[\x21-\x7e]{0,32}$/.test(prefix)) add('prefix', 'use at most 32 printable ASCII characters');
    if (!/^[\x21-\x7e]{0,4}$/.test(lastFour)) add('last_four', 'use at most 4 printable ASCII characters');
    if (line.namespace !== undefined && !isNamespace(line.namespace)) {
      add('namespace', 'use 1 to 64 of A-Z a-z 0-9 . _ : -');
    }
    const unknown = keyScopes.unknown(line.scopes ?? []);
    const beyond = owner && unknown.length === 0 ? keyScopes.beyond(line.scopes ?? [], owner, OPERATOR) : [];
    for (const name of unknown) add('scopes', `${name} is not a scope of this API`);
    for (const name of beyond) add('scopes', `${name} is more than the owner has`);
    if (!owner || digest === null || problems.length > 0) {
      return problems.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
    }
    const key = newKey(
      {
        name: line.name,
        environment,
        scopes: line.scopes ? [...new Set(line.scopes)] : keyScopes.usual(owner, OPERATOR),
        allowedAddresses: [],
        namespace: line.namespace ?? newId('ns'),
        limit: null,
        expiresAt: line.expiresAt === undefined ? null : line.expiresAt * 1000,
        ownerId: owner.id,
        createdBy: OPERATOR_ID,
        nowMs,
      },
      { id: format.newId(environment), prefix, lastFour },
    );
    // Its owner did not choose the end just now, so every warning is due.
    return { ...key, importedDigest: imported.stored(algorithm, digest), warnedDays: null };
  }
}
