/** API keys from creation to revocation, each step under an Idempotency-Key where there is one. */
import { randomUUID } from 'node:crypto';
import type { Call, Claims } from '../ledger.ts';
import { succeeded } from '../ledger.ts';
import { type Answer, type Asker, json, type Told } from './asker.ts';
import { createSignedIn, type Person, type Scene, type Traffic, verifiable } from './scene.ts';
import { probe } from './wallet.ts';

interface Key {
  id: string;
  value: string;
  name: string;
}

const OVERLAP_SECONDS = 3_600;
/** Creations are limited to 60 a minute. */
const PAUSE_MS = 1_500;
const PAGE = 200;

export function createApiKeyTraffic(scene: Scene, person: Person): Traffic {
  const signedIn = createSignedIn(scene, person);
  /** By the name it was asked for: whether a success made it and nobody revoked it. */
  const made = new Map<string, boolean>();

  /** A creation or rotation under an Idempotency-Key; sometimes at both nodes at once. */
  async function make(asker: Asker, what: string, path: string, body: object, bearer: string, claims: Claims) {
    const send = json(scene.issuer, path, { body, bearer, idempotencyKey: randomUUID() });
    const uses = { thing: asker.ledger.name(what), rule: 'same', retryForMs: Number.POSITIVE_INFINITY } as const;
    let key: Key | null = null;
    const read = (answer: Answer, call: Call): void => {
      if (answer.status >= 300) return;
      const { id, key: value } = answer.body;
      key = { id, value, name: scene.nameOf('API key', value) };
      const holding = verifiable(scene, key.name, value);
      call.result = key.name;
      call.gives = [holding];
      scene.wallet.add(holding);
    };
    if (asker.random.chance(0.25)) await asker.askBoth(what, { uses, ...claims }, send, read);
    if (!key) await asker.insist(what, { uses, ...claims }, send, read);
    return key as Key | null;
  }

  async function revoke(asker: Asker, { id }: Key, names: string[], bearer: string): Promise<Told> {
    const send = json(scene.issuer, `/v1/api-keys/${id}`, { method: 'DELETE', bearer });
    // A retry may find it gone.
    return asker.insist('revoke API key', { ends: names, mayRefuse: true }, send);
  }

  return {
    async step(asker) {
      const bearer = await signedIn(asker);
      if (bearer === null) return;
      const wanted = `key ${randomUUID()}`;
      made.set(wanted, false);
      const first = await make(asker, 'creation', '/v1/api-keys', { name: wanted, scopes: ['read'] }, bearer, {});
      if (!first) return asker.rest(PAUSE_MS);
      made.set(wanted, true);
      await probe(asker, verifiable(scene, first.name, first.value));
      const names = [first.name];
      if (asker.random.chance(0.6)) {
        const overlap = asker.random.chance(0.5) ? 0 : OVERLAP_SECONDS;
        const path = `/v1/api-keys/${first.id}/rotate`;
        const claims = overlap === 0 ? { ends: [first.name] } : {};
        const second = await make(asker, 'rotation', path, { overlap_seconds: overlap }, bearer, claims);
        if (second) {
          names.push(second.name);
          await probe(asker, verifiable(scene, second.name, second.value));
        }
      }
      if (asker.random.chance(0.4)) {
        made.set(wanted, false);
        const { call } = await revoke(asker, first, names, bearer);
        if (succeeded(call)) await asker.rest(50);
      }
      await asker.rest(PAUSE_MS);
    },

    async questions(asker) {
      const bearer = await signedIn(asker);
      if (bearer === null) return;
      const listed = await list(asker, bearer);
      if (!listed) return;
      for (const [name, known] of made) {
        const count = listed.filter((other) => other === name).length;
        const call = asker.ledger.begin('list of API keys', 'a', { counts: { thing: name, count, known } });
        asker.ledger.end(call, { kind: 'answer', status: 200, retryAfter: false });
      }
    },
  };

  /** The names of all keys; null when there is no answer. */
  async function list(asker: Asker, bearer: string): Promise<string[] | null> {
    const names: string[] = [];
    for (let cursor = ''; ; ) {
      const path = `/v1/api-keys?limit=${PAGE}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
      const { answer } = await asker.insist('list API keys', {}, json(scene.issuer, path, { method: 'GET', bearer }));
      if (answer?.status !== 200) return null;
      names.push(...answer.body.data.map(({ name }: { name: string }) => name));
      cursor = answer.body.next_cursor ?? '';
      if (cursor === '') return names;
    }
  }
}
