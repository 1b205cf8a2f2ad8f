import type { ResourceServer } from './resource-server.ts';

export interface ResourceServerStore {
  /** False when the identifier is taken. */
  insert(resource: ResourceServer): Promise<boolean>;
  find(identifier: string): Promise<ResourceServer | null>;
  /** All of them, ordered by identifier: an operator has few. */
  list(): Promise<ResourceServer[]>;
  remove(identifier: string): Promise<boolean>;
}
