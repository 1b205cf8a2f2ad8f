import type { Vault, VaultActor } from '../../../domain/provider-keys/vault.ts';
import { providerKeyAnswer } from '../answers.ts';
import { type Call, type Handlers, who } from '../call.ts';
import type { UseProviderKey } from '../use-provider-key.ts';

type ProviderKeyHandlers = Pick<
  Handlers,
  | 'listProviders'
  | 'listProviderKeys'
  | 'addProviderKey'
  | 'getProviderKey'
  | 'updateProviderKey'
  | 'makeDefaultProviderKey'
  | 'removeProviderKey'
  | 'resolveProviderKey'
>;

export function createProviderKeyHandlers({
  vault,
  use,
  usualEnvironment,
}: {
  vault: Vault;
  use: UseProviderKey;
  usualEnvironment: string;
}): ProviderKeyHandlers {
  function actorOf(call: Call): VaultActor {
    const { subject, keyId, environment } = who(call);
    const { ip, requestId } = call.facts;
    return {
      ownerId: subject,
      id: keyId ?? subject,
      environment: environment === usualEnvironment ? null : environment,
      ip,
      requestId,
    };
  }

  return {
    listProviders: async () => ({ data: vault.providers().map(({ name, title }) => ({ name, title })) }),
    listProviderKeys: async (_input, call) => ({
      data: (await vault.list(actorOf(call))).map((key) => providerKeyAnswer(key)),
    }),
    async addProviderKey({ provider, value, label, make_default: makeDefault }, call) {
      const { key, checked } = await vault.add(
        {
          provider,
          value,
          ...(label === undefined ? {} : { label }),
          ...(makeDefault === undefined ? {} : { makeDefault }),
        },
        actorOf(call),
        call.repeatable,
      );
      return providerKeyAnswer(key, checked);
    },
    getProviderKey: async ({ id }, call) => providerKeyAnswer(await vault.get(id, actorOf(call))),
    async updateProviderKey({ id, value, label }, call) {
      const change = { ...(value === undefined ? {} : { value }), ...(label === undefined ? {} : { label }) };
      const { key, checked } = await vault.update(id, change, actorOf(call));
      return providerKeyAnswer(key, value === undefined ? undefined : checked);
    },
    makeDefaultProviderKey: async ({ id }, call) => providerKeyAnswer(await vault.makeDefault(id, actorOf(call))),
    async removeProviderKey({ id }, call) {
      await vault.remove(id, actorOf(call));
      return null;
    },
    async resolveProviderKey({ credential, environment, provider, key_id: keyId, provider_key: providerKey }, { ctx }) {
      const used = await use.forCredential(
        ctx,
        { text: credential, from: 'body' },
        { provider, keyId, providerKey, environment },
      );
      return {
        provider: used.provider.name,
        source: used.source,
        key_id: used.keyId,
        fingerprint: used.fingerprint,
        header: used.provider.header,
        value: used.provider.scheme + used.value,
      };
    },
  };
}
