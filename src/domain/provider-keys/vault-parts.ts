import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import type { WrappingRing } from '../../kit/seal.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { IdempotentRequestStore } from '../idempotency/idempotent-request.ts';
import type { ProviderKeyStore } from './provider-key-store.ts';
import type { Provider } from './vault.ts';

/** What the vault stands on. */
export interface VaultParts {
  store: ProviderKeyStore;
  /** Of the purpose PROVIDER_KEY_PURPOSE. */
  ring: WrappingRing;
  digester: Digester;
  providers: readonly Provider[];
  /** `unknown`: nobody was asked, or gave no clear answer. Must not reject. */
  checkKey: (provider: Provider, value: string) => Promise<'accepted' | 'refused' | 'unknown'>;
  requests: IdempotentRequestStore;
  audit: RecordAudit;
  clock: Clock;
}
