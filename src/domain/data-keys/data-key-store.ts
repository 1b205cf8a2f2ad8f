import type { DataKey, DataKeyName } from './data-key.ts';

export interface DataKeyStore {
  list(): Promise<DataKey[]>;
  /**
   * All of them or none, if none exists: of two processes starting at once one wins and the other reads the winner's, and
   * one that dies leaves no half set.
   */
  insertAll(keys: readonly DataKey[]): Promise<boolean>;
  /** Replaces the sealed text when it still is `from`; false otherwise. */
  reseal(name: DataKeyName, from: string, to: string): Promise<boolean>;
}
