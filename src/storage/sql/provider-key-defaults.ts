import type { ProviderKey } from '../../domain/provider-keys/provider-key.ts';
import type { Statements } from './database.ts';
import type { Dialect } from './dialect.ts';

/** An owner's keys for a provider, of which one is the default: the unique column `default_of` lets no second one be. */
type Place = Pick<ProviderKey, 'ownerId' | 'provider'>;
type Placed = Place & Pick<ProviderKey, 'id'>;

/** The value of the column on the default key. No id and no name of a provider has a space. */
export const defaultOf = ({ ownerId, provider }: Place): string => `${ownerId} ${provider}`;

/** The key is gone: the default stays where it is. */
export class KeyGone extends Error {}

/**
 * False when there is no such account any more. Waits, until the end of the transaction, at the owner's account: one row, so that nobody waits in a circle, and there even
 * before the first key. SQLite lets one writer in at a time anyway.
 */
export async function lockOwner(tx: Statements, dialect: Dialect, ownerId: string): Promise<boolean> {
  // SQLite has one lock, for all writers, and takes it with the first change.
  if (dialect === 'sqlite') return (await tx.affected('update accounts set id = id where id = ?', [ownerId])) === 1;
  return (await tx.rows('select id from accounts where id = ? for update', [ownerId])).length === 1;
}

export async function moveDefault(tx: Statements, key: Placed): Promise<void> {
  await tx.affected('update provider_keys set default_of = null where default_of = ?', [defaultOf(key)]);
  if (!(await assignDefault(tx, key))) throw new KeyGone();
}

/** Gives the oldest key the place, if nobody has it. */
export async function fillDefault(tx: Statements, place: Place): Promise<void> {
  const taken = await tx.rows('select 1 as one from provider_keys where default_of = ?', [defaultOf(place)]);
  if (taken.length > 0) return;
  const sql = 'select id from provider_keys where owner_id = ? and provider = ? order by created_at, id limit 1';
  const [oldest] = await tx.rows<{ id: string }>(sql, [place.ownerId, place.provider]);
  if (oldest) await assignDefault(tx, { ...place, id: oldest.id });
}

async function assignDefault(tx: Statements, { id, ownerId, provider }: Placed): Promise<boolean> {
  const sql = 'update provider_keys set default_of = ? where id = ? and owner_id = ? and provider = ?';
  return (await tx.affected(sql, [defaultOf({ ownerId, provider }), id, ownerId, provider])) === 1;
}
