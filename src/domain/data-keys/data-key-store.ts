import type { DataKey, DataKeyName } from './data-key.ts';

export interface DataKeyStore {
  list(): Promise<DataKey[]>;
  /** Insert-if-absent: of two processes starting at once, one wins and the other reads the winner's. */
  insert(key: DataKey): Promise<boolean>;
  /** Replaces the sealed text when it still is `from`; false otherwise. */
  reseal(name: DataKeyName, from: string, to: string): Promise<boolean>;
}
