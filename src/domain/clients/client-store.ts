import type { Client } from './client.ts';

export interface ClientStore {
  /** False when the id is taken. */
  insert(client: Client): Promise<boolean>;
  find(id: string): Promise<Client | null>;
  /** Ordered by id; `after` is the last id of the page before. */
  list(page: { after?: string; limit: number }): Promise<Client[]>;
  /** The clients of an account, newest first (`createdAt`, then id, descending). */
  listByOwner(ownerId: string): Promise<Client[]>;
  /**
   * Compare-and-set on `updatedAt`: false when the client is gone or was changed since `expectedUpdatedAt`,
   * so two operators never overwrite each other's secrets. The caller sets the new `updatedAt`, larger than the old.
   */
  update(client: Client, expectedUpdatedAt: number): Promise<boolean>;
  /** False when there is no such client. */
  remove(id: string): Promise<boolean>;
}
