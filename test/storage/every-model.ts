import type { Stores } from '../../src/storage/stores.ts';
import { clientModel, resourceServerModel } from '../conformance/models/clients.ts';
import { apiKeyModel, usageModel } from '../conformance/models/keys-of-people.ts';
import { dataKeyModel, leaseModel, signingKeyModel } from '../conformance/models/keys-of-the-server.ts';
import { rateLimitModel, throttleModel } from '../conformance/models/limits.ts';
import { modelSuite } from '../conformance/models/model.ts';
import { accountModel, auditModel, consentModel } from '../conformance/models/people.ts';
import { providerKeyModel } from '../conformance/models/provider-keys.ts';
import { durableTokenModel, tokenModel } from '../conformance/models/tokens.ts';

/** Every model that SQL claims, on two pools of one database. `stores` is called when the tests run. */
export function everyModel(stores: () => readonly [Stores, Stores]): void {
  const each =
    <Part>(partOf: (of: Stores) => Part) =>
    (): readonly [Part, Part] => {
      const [first, second] = stores();
      return [partOf(first), partOf(second)];
    };
  describe('models of the stores', () => {
    modelSuite(
      'accounts',
      accountModel,
      each(({ accounts }) => accounts),
    );
    modelSuite(
      'clients',
      clientModel,
      each(({ clients }) => clients),
    );
    modelSuite(
      'resource servers',
      resourceServerModel,
      each(({ resources }) => resources),
    );
    modelSuite(
      'consents',
      consentModel,
      each(({ consents }) => consents),
    );
    modelSuite(
      'tokens',
      durableTokenModel('RefreshToken'),
      each(({ tokens }) => tokens),
    );
    modelSuite(
      'short-lived tokens',
      tokenModel('DeviceCode'),
      each(({ tokens }) => tokens),
    );
    modelSuite(
      'signing keys',
      signingKeyModel,
      each(({ signingKeys }) => signingKeys),
    );
    modelSuite(
      'data keys',
      dataKeyModel,
      each(({ dataKeys }) => dataKeys),
    );
    modelSuite(
      'leases',
      leaseModel,
      each(({ leases }) => leases),
    );
    modelSuite(
      'throttle',
      throttleModel,
      each(({ throttle }) => throttle),
    );
    modelSuite(
      'rate limits',
      rateLimitModel,
      each(({ rateLimits }) => rateLimits),
    );
    modelSuite(
      'api keys and idempotent requests',
      apiKeyModel,
      each((of) => of),
    );
    modelSuite(
      'provider keys and idempotent requests',
      providerKeyModel,
      each((of) => of),
    );
    modelSuite(
      'usage',
      usageModel,
      each((of) => of),
    );
    modelSuite(
      'audit events',
      auditModel,
      each(({ audit }) => audit),
    );
  });
}
