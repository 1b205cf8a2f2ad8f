import fc from 'fast-check';
import type { DataKeyName } from '../../../src/domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../../src/domain/data-keys/data-key-store.ts';
import type { LeaseStore } from '../../../src/domain/leases/lease-store.ts';
import type { SigningKey, SigningKeyState } from '../../../src/domain/signing-keys/signing-key.ts';
import type { SigningKeyStore } from '../../../src/domain/signing-keys/signing-key-store.ts';
import { CLOCK_SKEW_MS } from '../../../src/kit/clock.ts';
import { type Model, type Names, slot } from './model.ts';

const state = fc.constantFrom<SigningKeyState>('published', 'active', 'retired');
const signingKeyOf = (id: number, created: number, names: Names): SigningKey => ({
  kid: names(id),
  algorithm: 'ES256',
  state: 'published',
  publicJwk: '{}',
  sealedPrivateJwk: '0',
  createdAt: created,
  stateSince: created,
});

type SigningKeys = Map<string, SigningKey>;

export const signingKeyModel: Model<SigningKeyStore, SigningKeys> = {
  start: () => new Map(),
  operations: fc.oneof(
    fc.tuple(slot(3), slot(3)).map(([id, created]) => ({
      text: `insert(${id}, created ${created})`,
      call: (keys: SigningKeyStore, names: Names) => keys.insert(signingKeyOf(id, created, names)),
      model(known: SigningKeys, names: Names) {
        if (known.has(names(id))) return false;
        known.set(names(id), signingKeyOf(id, created, names));
        return true;
      },
    })),
    fc
      .tuple(fc.uniqueArray(fc.record({ id: slot(3), from: state, to: state }), { selector: ({ id }) => id }), slot(9))
      .map(([moves, at]) => ({
        text: `transition(${JSON.stringify(moves)}, ${at})`,
        call: (keys: SigningKeyStore, names: Names) =>
          keys.transition(
            moves.map(({ id, from, to }) => ({ kid: names(id), from, to })),
            at,
          ),
        model(known: SigningKeys, names: Names) {
          if (moves.some(({ id, from }) => known.get(names(id))?.state !== from)) return false;
          for (const { id, to } of moves) {
            const key = known.get(names(id));
            if (key) known.set(key.kid, { ...key, state: to, stateSince: at });
          }
          return true;
        },
      })),
    fc.tuple(slot(3), slot(3), slot(3)).map(([id, from, to]) => ({
      text: `reseal(${id}, ${from}, ${to})`,
      call: (keys: SigningKeyStore, names: Names) => keys.reseal(names(id), `${from}`, `${to}`),
      model(known: SigningKeys, names: Names) {
        const key = known.get(names(id));
        if (key?.sealedPrivateJwk !== `${from}`) return false;
        known.set(key.kid, { ...key, sealedPrivateJwk: `${to}` });
        return true;
      },
    })),
    slot(3).map((id) => ({
      text: `remove(${id})`,
      call: (keys: SigningKeyStore, names: Names) => keys.remove(names(id)),
      model: (known: SigningKeys, names: Names) => known.delete(names(id)),
    })),
    fc.constant({
      text: 'list()',
      call: async (keys: SigningKeyStore, names: Names) =>
        (await keys.list()).filter(({ kid }) => kid.startsWith(names(''))),
      model: (known: SigningKeys) =>
        [...known.values()].sort((a, b) => a.createdAt - b.createdAt || (a.kid < b.kid ? -1 : 1)),
    }),
  ),
};

type DataKeys = Map<string, string>;
const dataKeyName = (names: Names, number: number): DataKeyName => names(number) as DataKeyName;

export const dataKeyModel: Model<DataKeyStore, DataKeys> = {
  start: () => new Map(),
  operations: fc.oneof(
    fc.tuple(fc.subarray([0, 1, 2, 3], { minLength: 1 }), slot(3)).map(([numbers, sealed]) => ({
      text: `insertAll(${numbers}, ${sealed})`,
      call: (keys: DataKeyStore, names: Names) =>
        keys.insertAll(
          numbers.map((number) => ({ name: dataKeyName(names, number), sealed: `${sealed}`, createdAt: 1 })),
        ),
      model(known: DataKeys, names: Names) {
        if (numbers.some((number) => known.has(names(number)))) return false;
        for (const number of numbers) known.set(names(number), `${sealed}`);
        return true;
      },
    })),
    fc.tuple(slot(4), slot(3), slot(3)).map(([number, from, to]) => ({
      text: `reseal(${number}, ${from}, ${to})`,
      call: (keys: DataKeyStore, names: Names) => keys.reseal(dataKeyName(names, number), `${from}`, `${to}`),
      model(known: DataKeys, names: Names) {
        if (known.get(names(number)) !== `${from}`) return false;
        known.set(names(number), `${to}`);
        return true;
      },
    })),
    fc.constant({
      text: 'list()',
      call: async (keys: DataKeyStore, names: Names) =>
        (await keys.list())
          .flatMap(({ name, sealed }) => (name.startsWith(names('')) ? [`${name} ${sealed}`] : []))
          .sort(),
      model: (known: DataKeys) => [...known].map(([name, sealed]) => `${name} ${sealed}`).sort(),
    }),
  ),
};

const LEASE_MS = 60_000;
interface Lease {
  holder: number;
  endsAt: number;
}

export const leaseModel: Model<LeaseStore, Map<number, Lease>> = {
  start: () => new Map(),
  operations: fc.oneof(
    fc
      .tuple(slot(2), slot(3), fc.constantFrom(0, 1, 5000, 5001, 59_999, 60_000, 65_000, 66_000, 200_000))
      .map(([name, holder, nowMs]) => ({
        text: `acquire(${name}, holder ${holder}, at ${nowMs})`,
        call: (leases: LeaseStore, names: Names) => leases.acquire(names(name), `holder-${holder}`, nowMs, LEASE_MS),
        model(known: Map<number, Lease>) {
          const lease = known.get(name);
          const isHeld =
            lease !== undefined &&
            lease.holder !== holder &&
            lease.endsAt > nowMs &&
            lease.endsAt <= nowMs + LEASE_MS + CLOCK_SKEW_MS;
          if (!isHeld) known.set(name, { holder, endsAt: nowMs + LEASE_MS });
          return !isHeld;
        },
      })),
    fc.tuple(slot(2), slot(3)).map(([name, holder]) => ({
      text: `release(${name}, holder ${holder})`,
      call: (leases: LeaseStore, names: Names) => leases.release(names(name), `holder-${holder}`),
      model(known: Map<number, Lease>) {
        if (known.get(name)?.holder === holder) known.delete(name);
        return undefined;
      },
    })),
  ),
};
