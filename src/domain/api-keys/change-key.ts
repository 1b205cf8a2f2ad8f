import { AppError } from '../../kit/errors.ts';
import type { AuditType } from '../audit/audit-event.ts';
import type { IdempotentRequest } from '../idempotency/idempotent-request.ts';
import type { ApiKey } from './api-key.ts';
import type { KeyWithOwner } from './api-key-store.ts';
import type { KeyActor } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

/** How often a change is tried again on what someone else has made of the key meanwhile. */
const ATTEMPTS = 20;

/**
 * Reads a key, lets `decide` say what becomes of it (null: nothing) and stores that if the key is still what was read; else the
 * same again with what it is now. So no change is lost, and nothing comes back after a revocation. Throws not_found, conflict.
 */
export type ChangeKey = (
  id: string,
  actor: KeyActor | null,
  decide: (found: KeyWithOwner) => ApiKey | null,
  options?: {
    /** Stored together with the change; what another one like it was answered comes back as `first`, and nothing is changed. */
    request?: IdempotentRequest | undefined;
    /** The other key that makes the change: it must still be what was read. Nothing is changed when `makerChanged`. */
    maker?: Pick<ApiKey, 'id' | 'version'> | undefined;
  },
) => Promise<{ key: ApiKey; changed: boolean; first?: IdempotentRequest; makerChanged?: true }>;

/** The key if the actor may see it; of another's key and of another environment's nobody learns that it exists. */
export async function findFor(
  { apiKeys }: Pick<ManageParts, 'apiKeys'>,
  id: string,
  actor: KeyActor | null,
): Promise<KeyWithOwner> {
  const found = await apiKeys.find(id);
  const visible =
    actor === null ||
    (found?.key.ownerId === actor.ownerId &&
      (actor.environment === null || actor.environment === found.key.environment));
  if (!found || !visible) throw new AppError('not_found', { public: 'There is no such API key.' });
  return found;
}

export function createChangeKey(parts: Pick<ManageParts, 'apiKeys' | 'announce' | 'clock'>): ChangeKey {
  const { apiKeys, announce, clock } = parts;
  async function store(key: ApiKey, { request, maker }: NonNullable<Parameters<ChangeKey>[3]>) {
    if (maker && maker.id !== key.id) return apiKeys.updateMade(key, maker, request);
    if (request) return apiKeys.updateOnce(key, request);
    return { kind: (await apiKeys.update(key)) ? ('inserted' as const) : ('taken' as const) };
  }

  return async (id, actor, decide, options = {}) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = await findFor(parts, id, actor);
      const next = decide(found);
      if (next === null) return { key: found.key, changed: false };
      const key: ApiKey = { ...next, updatedAt: Math.max(clock.nowMs(), found.key.updatedAt) };
      const outcome = await store(key, options);
      if (outcome.kind === 'repeated') return { key: found.key, changed: false, first: outcome.first };
      if (outcome.kind === 'maker-changed') return { key: found.key, changed: false, makerChanged: true };
      if (outcome.kind === 'inserted') {
        await announce(`key:${id}`);
        return { key: { ...key, version: key.version + 1 }, changed: true };
      }
    }
    throw conflict('The API key is being changed by others just now.');
  };
}

export const conflict = (text: string): AppError => new AppError('conflict', { public: text });

/** An audit event about one key. Never holds more of it than its id and name. */
export const recordKey = (
  { audit }: Pick<ManageParts, 'audit'>,
  type: AuditType,
  key: Pick<ApiKey, 'id' | 'ownerId' | 'name'>,
  by: { id: string; ip: string | null; requestId: string | null } | null,
  details: Readonly<Record<string, string | number | boolean>> = {},
): Promise<void> =>
  audit(type, {
    accountId: key.ownerId,
    ip: by?.ip ?? null,
    requestId: by?.requestId ?? null,
    details: { keyId: key.id, name: key.name, ...(by ? { by: by.id } : {}), ...details },
  });
