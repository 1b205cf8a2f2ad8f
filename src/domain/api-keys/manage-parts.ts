import type { Clock } from '../../kit/clock.ts';
import type { AccountStore } from '../accounts/account-store.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Announce } from '../credentials/announce.ts';
import type { BeginRepeatable } from '../idempotency/create-repeatable.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import type { AuthorityOf } from './authority.ts';
import type { ImportedDigests } from './imported-digests.ts';
import type { KeyDigests } from './key-digests.ts';
import type { KeyFormat } from './key-format.ts';
import type { KeyScopes } from './key-scopes.ts';

/** What the parts of the management of keys stand on. */
export interface ManageParts {
  apiKeys: ApiKeyStore;
  accounts: AccountStore;
  begin: BeginRepeatable;
  format: KeyFormat;
  digests: KeyDigests;
  imported: ImportedDigests;
  keyScopes: KeyScopes;
  authorityOf: AuthorityOf;
  /** Null: a key that names no end has none. */
  defaultLifetimeSeconds: number | null;
  /** Of one account: every key has limits, counts and memory of its own. A few more may pass at the same moment. */
  maxLiveKeys: number;
  leakPolicy: 'revoke' | 'suspend';
  /** Whether a leak report ends what the key made, too. */
  leakTakesDescendants: boolean;
  audit: RecordAudit;
  announce: Announce;
  clock: Clock;
}
