/** One provider key whose value is replaced again and again, and read as a gateway reads it. */
import { randomUUID } from 'node:crypto';
import { type Asker, json } from './asker.ts';
import { createSignedIn, type Person, type Scene, type Traffic } from './scene.ts';

const PROVIDER = 'openai';
/** Changes are limited to 30 a minute. */
const PAUSE_MS = 2_200;

export function createVaultTraffic(scene: Scene, person: Person): Traffic {
  const signedIn = createSignedIn(scene, person);
  const register = `provider key of ${person.email}`;
  let providerKey: string | null = null;
  /** What the gateway shows in the person's place. */
  let credential: string | null = null;
  let values = 0;

  const newValue = (): string => {
    values += 1;
    return `sk-${values}-${randomUUID()}`;
  };

  async function begin(asker: Asker, bearer: string): Promise<void> {
    const value = newValue();
    const idempotencyKey = randomUUID();
    const made = await asker.insist(
      'add provider key',
      { writes: { register, value } },
      json(scene.issuer, '/v1/provider-keys', { body: { provider: PROVIDER, value }, bearer, idempotencyKey }),
    );
    if (made.answer?.status === 201) providerKey = made.answer.body.id;
  }

  async function read(asker: Asker): Promise<void> {
    if (credential === null || providerKey === null) return;
    const body = { credential, provider: PROVIDER };
    await asker.ask(
      'resolve provider key',
      {},
      json(scene.issuer, '/v1/provider-keys/resolve', { body, client: scene.gateway }),
      {
        read(answer, call) {
          if (answer.status === 200)
            call.reads = { register, value: String(answer.body.value).replace(/^Bearer /, '') };
        },
      },
    );
  }

  return {
    async step(asker) {
      const bearer = await signedIn(asker);
      if (bearer === null) return;
      if (credential === null) {
        const body = { name: 'shown to the gateway', scopes: ['read'] };
        const { answer } = await asker.insist('create', {}, json(scene.issuer, '/v1/api-keys', { body, bearer }));
        credential = answer?.status === 201 ? answer.body.key : null;
      }
      if (providerKey === null) return begin(asker, bearer);
      const value = newValue();
      const send = json(scene.issuer, `/v1/provider-keys/${providerKey}`, { method: 'PATCH', body: { value }, bearer });
      // Some clients try again, some give up and never learn what became of it.
      const way = asker.random.chance(0.5) ? asker.insist : asker.ask;
      await way('replace provider key', { writes: { register, value } }, send);
      if (asker.random.chance(0.5)) await read(asker);
      await asker.rest(PAUSE_MS);
    },
    questions: async (asker) => {
      await read(asker);
      await read(asker);
    },
  };
}
