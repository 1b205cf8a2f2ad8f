import type { Stores } from '../../src/storage/stores.ts';
import { accountStoreSuite } from '../conformance/account-store.ts';
import { apiKeyStoreSuite } from '../conformance/api-key-store.ts';
import { auditStoreSuite } from '../conformance/audit-store.ts';
import { clientStoreSuite } from '../conformance/client-store.ts';
import { consentStoreSuite } from '../conformance/consent-store.ts';
import { dataKeyStoreSuite } from '../conformance/data-key-store.ts';
import { durableTokenStoreSuite } from '../conformance/durable-token-store.ts';
import { leaseStoreSuite } from '../conformance/lease-store.ts';
import { providerKeyStoreSuite } from '../conformance/provider-key-store.ts';
import { rateLimitPurgeSuite, rateLimitStoreSuite } from '../conformance/rate-limit-store.ts';
import { resourceServerStoreSuite } from '../conformance/resource-server-store.ts';
import { signingKeyStoreSuite } from '../conformance/signing-key-store.ts';
import { throttlePurgeSuite, throttleStoreSuite } from '../conformance/throttle-store.ts';
import { tokenStoreSuite } from '../conformance/token-store.ts';
import { usageStoreSuite } from '../conformance/usage-store.ts';

/** Every suite that SQL claims. `stores` is called when the tests run. */
export function everySuite(stores: () => Stores): void {
  accountStoreSuite(async () => stores().accounts);
  clientStoreSuite(async () => stores().clients);
  resourceServerStoreSuite(async () => stores().resources);
  consentStoreSuite(async () => stores().consents);
  tokenStoreSuite(async () => stores().tokens, 'DeviceCode');
  tokenStoreSuite(async () => stores().tokens, 'RefreshToken');
  durableTokenStoreSuite(async () => stores().tokens);
  signingKeyStoreSuite(async () => stores().signingKeys);
  dataKeyStoreSuite(async () => stores().dataKeys);
  throttleStoreSuite(async () => stores().throttle);
  throttlePurgeSuite(async () => stores().throttle);
  apiKeyStoreSuite(async () => stores());
  providerKeyStoreSuite(async () => stores());
  usageStoreSuite(async () => stores());
  rateLimitStoreSuite(async () => stores().rateLimits);
  rateLimitPurgeSuite(async () => stores().rateLimits);
  auditStoreSuite(async () => stores().audit);
  leaseStoreSuite(async () => stores().leases);
}
