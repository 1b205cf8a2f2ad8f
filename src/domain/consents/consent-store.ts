import type { Consent } from './consent.ts';

export interface ConsentStore {
  find(accountId: string, clientId: string): Promise<Consent | null>;
  /** Insert or replace. */
  save(consent: Consent): Promise<void>;
  remove(accountId: string, clientId: string): Promise<boolean>;
  removeByAccount(accountId: string): Promise<void>;
  removeByClient(clientId: string): Promise<void>;
}
