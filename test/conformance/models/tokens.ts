import fc from 'fast-check';
import type { TokenKind, TokenRecord } from '../../../src/domain/tokens/token-record.ts';
import type { DurableTokenStore, TokenStore } from '../../../src/domain/tokens/token-store.ts';
import { type Model, type Names, type Operation, orNull, slot, sorted } from './model.ts';

type Records = Map<string, TokenRecord>;
type TokenOperation<Store> = Operation<Store, Records>;

/** A record by slots; its names are those of the run. */
interface Draft {
  id: number;
  grant: number | null;
  account: number | null;
  client: number | null;
  payload: number;
}
const anyDraft: fc.Arbitrary<Draft> = fc.record({
  id: slot(4),
  grant: orNull(slot(2)),
  account: orNull(slot(2)),
  client: orNull(slot(2)),
  payload: slot(100),
});

const nameOf = (names: Names, kind: string, number: number | null): string | null =>
  number === null ? null : names(`${kind}${number}`);

const recordOf = (kind: TokenKind, { id, grant, account, client, payload }: Draft, names: Names): TokenRecord => ({
  kind,
  id: names(id),
  payload: `${payload}`,
  grantId: nameOf(names, 'grant', grant),
  accountId: nameOf(names, 'account', account),
  clientId: nameOf(names, 'client', client),
  uid: null,
  userCode: null,
  createdAt: 1_700_000_000,
  expiresAt: 4_000_000_000 + payload,
  consumedAt: null,
  receipt: null,
});

function removeIf(records: Records, condition: (record: TokenRecord) => boolean): TokenRecord[] {
  const gone = [...records.values()].filter(condition);
  for (const { id } of gone) records.delete(id);
  return gone;
}

/** With what hangs on their grants; the ids of those. */
function removeOwned(records: Records, condition: (record: TokenRecord) => boolean): string[] {
  const gone = removeIf(records, condition);
  const grants = [...new Set(gone.flatMap(({ grantId }) => grantId ?? []))];
  removeIf(records, ({ grantId }) => grantId !== null && grants.includes(grantId));
  return sorted(grants);
}

/** Keeps the marks of use, and when it came to be. */
const replaced = (known: TokenRecord, { createdAt: _, consumedAt: __, receipt: ___, ...rest }: TokenRecord) => ({
  ...known,
  ...rest,
});

const operationsOf = (kind: TokenKind, draft: fc.Arbitrary<Draft>): fc.Arbitrary<TokenOperation<TokenStore>>[] => [
  draft.map((made) => ({
    text: `insert(${JSON.stringify(made)})`,
    call: (tokens, names) => tokens.insert(recordOf(kind, made, names)),
    model(records, names) {
      const record = recordOf(kind, made, names);
      if (records.has(record.id)) return false;
      records.set(record.id, record);
      return true;
    },
  })),
  draft.map((made) => ({
    text: `save(${JSON.stringify(made)})`,
    call: (tokens, names) => tokens.save(recordOf(kind, made, names)),
    model(records, names) {
      const record = recordOf(kind, made, names);
      const known = records.get(record.id);
      records.set(record.id, known ? replaced(known, record) : record);
      return undefined;
    },
  })),
  fc.tuple(draft, orNull(slot(5))).map(([made, at]) => ({
    text: `update(${JSON.stringify(made)}, ${at})`,
    call: (tokens, names) =>
      tokens.update(recordOf(kind, made, names), ...(at === null ? [] : [{ consumeAtMs: at + 1 }])),
    model(records, names) {
      const record = recordOf(kind, made, names);
      const known = records.get(record.id);
      if (!known || (at !== null && known.consumedAt !== null)) return false;
      records.set(record.id, { ...replaced(known, record), ...(at === null ? {} : { consumedAt: at + 1 }) });
      return true;
    },
  })),
  fc.tuple(slot(4), slot(5)).map(([id, at]) => ({
    text: `consume(${id}, ${at})`,
    call: (tokens, names) => tokens.consume(kind, names(id), at + 1),
    model(records, names) {
      const known = records.get(names(id));
      if (!known || known.consumedAt !== null) return false;
      records.set(known.id, { ...known, consumedAt: at + 1 });
      return true;
    },
  })),
  slot(4).map((id) => ({
    text: `find(${id})`,
    call: (tokens, names) => tokens.find(kind, names(id)),
    model: (records, names) => records.get(names(id)) ?? null,
  })),
  slot(4).map((id) => ({
    text: `remove(${id})`,
    call: (tokens, names) => tokens.remove(kind, names(id)),
    model: (records, names) => records.delete(names(id)),
  })),
  fc.constant({
    text: 'findMany(all)',
    alone: true,
    call: async (tokens, names) =>
      sorted((await tokens.findMany([0, 1, 2, 3].map((id) => ({ kind, id: names(id) })))).map(({ id }) => id)),
    model: (records) => sorted(records.keys()),
  }),
  slot(2).map((grant) => ({
    text: `removeByGrant(${grant})`,
    alone: true,
    call: (tokens, names) => tokens.removeByGrant(names(`grant${grant}`)),
    model(records, names) {
      removeIf(records, ({ grantId }) => grantId === names(`grant${grant}`));
      return undefined;
    },
  })),
  ...(['account', 'client'] as const).map((owner) =>
    slot(2).map((number) => ({
      text: `removeBy(${owner}${number})`,
      alone: true,
      call: async (tokens: TokenStore, names: Names) => {
        const value = names(`${owner}${number}`);
        return sorted(await (owner === 'account' ? tokens.removeByAccount(value) : tokens.removeByClient(value)));
      },
      model: (records: Records, names: Names) => {
        const value = names(`${owner}${number}`);
        return removeOwned(
          records,
          ({ accountId, clientId }) => (owner === 'account' ? accountId : clientId) === value,
        );
      },
    })),
  ),
];

export const tokenModel = (kind: TokenKind, { alwaysOfGrant = false } = {}): Model<TokenStore, Records> => {
  const draft = alwaysOfGrant ? anyDraft.map((made) => ({ ...made, grant: made.grant ?? 0 })) : anyDraft;
  return { start: () => new Map(), operations: fc.oneof(...operationsOf(kind, draft)) };
};

/** A use and what it produces, together. */
const commit = (kind: TokenKind): fc.Arbitrary<TokenOperation<DurableTokenStore>> =>
  fc.tuple(orNull(slot(4)), fc.array(anyDraft, { maxLength: 2 }), orNull(slot(3))).map(([used, made, receipt]) => ({
    text: `commit(consume ${used}, insert ${JSON.stringify(made)})`,
    async call(tokens, names) {
      const consume = used === null ? {} : { consume: { kind, id: names(used), atMs: 9, receipt: `${receipt}` } };
      const inserts = made.map((each) => recordOf(kind, each, names));
      // An id that is there already is a fault of the caller: what matters is that nothing was changed then.
      return tokens.commit({ ...consume, inserts }).catch((error: Error) => {
        if (error.name !== 'DatabaseError') throw error;
        return 'refused';
      });
    },
    model(records, names) {
      const known = used === null ? undefined : records.get(names(used));
      if (used !== null && (!known || known.consumedAt !== null)) return false;
      const inserts = made.map((each) => recordOf(kind, each, names));
      const ids = new Set([...records.keys(), ...inserts.map(({ id }) => id)]);
      if (ids.size < records.size + inserts.length) return 'refused';
      if (known) records.set(known.id, { ...known, consumedAt: 9, receipt: `${receipt}` });
      for (const record of inserts) records.set(record.id, record);
      return true;
    },
  }));

export const durableTokenModel = (kind: TokenKind): Model<DurableTokenStore, Records> => ({
  start: () => new Map(),
  operations: fc.oneof(
    ...operationsOf(kind, anyDraft),
    commit(kind),
    commit(kind),
    slot(2).map((account) => ({
      text: `listByAccount(${account})`,
      alone: true,
      call: async (tokens: DurableTokenStore, names: Names) =>
        sorted((await tokens.listByAccount(kind, names(`account${account}`), 10)).map(({ id }) => id)),
      model: (records: Records, names: Names) =>
        sorted(
          [...records.values()].filter(({ accountId }) => accountId === names(`account${account}`)).map(({ id }) => id),
        ),
    })),
    fc.constant({
      text: 'purge',
      alone: true,
      // Of everybody's records, so how many is not known here.
      call: async (tokens: DurableTokenStore) => void (await tokens.purge(4_000_000_050, 100_000)),
      model(records: Records) {
        removeIf(records, ({ expiresAt }) => (expiresAt ?? 0) < 4_000_000_050);
        return undefined;
      },
    }),
    fc.constant({
      text: 'clearReceipts',
      alone: true,
      call: async (tokens: DurableTokenStore) => void (await tokens.clearReceipts([10, 1e15], 100_000)),
      model(records: Records) {
        for (const record of records.values()) records.set(record.id, { ...record, receipt: null });
        return undefined;
      },
    }),
  ),
});
