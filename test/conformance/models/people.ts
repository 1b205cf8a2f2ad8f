import fc from 'fast-check';
import type { Account } from '../../../src/domain/accounts/account.ts';
import type { AccountChange, AccountStore } from '../../../src/domain/accounts/account-store.ts';
import type { AuditEvent, AuditType } from '../../../src/domain/audit/audit-event.ts';
import type { AuditStore } from '../../../src/domain/audit/audit-store.ts';
import type { Consent } from '../../../src/domain/consents/consent.ts';
import type { ConsentStore } from '../../../src/domain/consents/consent-store.ts';
import { accountOf } from '../account-store.ts';
import { type Model, type Names, type Operation, orNull, slot } from './model.ts';

type Accounts = Map<string, Account>;
const emailOf = (names: Names, email: number): string => `${names(`mail${email}`).toLowerCase()}@example.com`;

const change: fc.Arbitrary<AccountChange> = fc.record(
  {
    emailVerified: fc.boolean(),
    givenName: orNull(fc.constantFrom('Ada', 'Zoë')),
    scopes: orNull(fc.subarray(['read', 'write'])),
    disabledAt: orNull(slot(5)),
    signedOutAt: orNull(slot(5)),
  },
  { requiredKeys: [] },
);

export const accountModel: Model<AccountStore, Accounts> = {
  start: () => new Map(),
  operations: fc.oneof<fc.Arbitrary<Operation<AccountStore, Accounts>>[]>(
    fc.tuple(slot(3), slot(3), fc.boolean()).map(([id, email, shouts]) => {
      // Unique whatever its case.
      const made = (names: Names): Account =>
        accountOf({ id: names(id), email: shouts ? emailOf(names, email).toUpperCase() : emailOf(names, email) });
      return {
        text: `insert(${id}, email ${email}${shouts ? ' in capitals' : ''})`,
        call: (accounts, names) => accounts.insert(made(names)),
        model(known, names) {
          const account = made(names);
          const key = account.email.toLowerCase();
          if ([...known.values()].some((other) => other.id === account.id || other.email.toLowerCase() === key)) {
            return false;
          }
          known.set(account.id, account);
          return true;
        },
      };
    }),
    slot(3).map((id) => ({
      text: `find(${id})`,
      call: (accounts, names) => accounts.find(names(id)),
      model: (known, names) => known.get(names(id)) ?? null,
    })),
    slot(3).map((email) => ({
      text: `findByEmail(${email})`,
      call: (accounts, names) => accounts.findByEmail(emailOf(names, email)),
      model: (known, names) =>
        [...known.values()].find((account) => account.email.toLowerCase() === emailOf(names, email)) ?? null,
    })),
    fc.tuple(slot(3), change, slot(9)).map(([id, changes, at]) => ({
      text: `update(${id}, ${JSON.stringify(changes)}, ${at})`,
      call: (accounts, names) => accounts.update(names(id), changes, at),
      model(known, names) {
        const account = known.get(names(id));
        if (account) known.set(account.id, { ...account, ...changes, updatedAt: at });
        return account !== undefined;
      },
    })),
    slot(3).map((id) => ({
      text: `remove(${id})`,
      call: (accounts, names) => accounts.remove(names(id)),
      model: (known, names) => known.delete(names(id)),
    })),
  ),
};

type Consents = Map<string, Consent>;
const consentOf = (names: Names, account: number, client: number, word: string): Consent => ({
  accountId: names(`account${account}`),
  clientId: names(`client${client}`),
  scopes: ['openid', word],
  claims: [word],
  resources: { 'https://api.example.com': [word] },
  updatedAt: word.length,
});
const keyOf = ({ accountId, clientId }: Pick<Consent, 'accountId' | 'clientId'>): string => `${accountId} ${clientId}`;
const place = fc.tuple(slot(2), slot(2));

export const consentModel: Model<ConsentStore, Consents> = {
  start: () => new Map(),
  operations: fc.oneof<fc.Arbitrary<Operation<ConsentStore, Consents>>[]>(
    fc.tuple(place, fc.constantFrom('email', 'profile')).map(([[account, client], word]) => ({
      text: `save(account ${account}, client ${client}, ${word})`,
      call: (consents, names) => consents.save(consentOf(names, account, client, word)),
      model(known, names) {
        const consent = consentOf(names, account, client, word);
        known.set(keyOf(consent), consent);
        return undefined;
      },
    })),
    place.map(([account, client]) => ({
      text: `find(account ${account}, client ${client})`,
      call: (consents, names) => consents.find(names(`account${account}`), names(`client${client}`)),
      model: (known, names) => known.get(keyOf(consentOf(names, account, client, ''))) ?? null,
    })),
    place.map(([account, client]) => ({
      text: `remove(account ${account}, client ${client})`,
      call: (consents, names) => consents.remove(names(`account${account}`), names(`client${client}`)),
      model: (known, names) => known.delete(keyOf(consentOf(names, account, client, ''))),
    })),
    ...(['account', 'client'] as const).map((owner) =>
      slot(2).map(
        (number): Operation<ConsentStore, Consents> => ({
          text: `removeBy(${owner} ${number})`,
          alone: true,
          call: (consents, names) =>
            owner === 'account'
              ? consents.removeByAccount(names(`account${number}`))
              : consents.removeByClient(names(`client${number}`)),
          model(known, names) {
            for (const [key, { accountId, clientId }] of known) {
              if ((owner === 'account' ? accountId : clientId) === names(`${owner}${number}`)) known.delete(key);
            }
            return undefined;
          },
        }),
      ),
    ),
  ),
};

/** In the order of their insertion. */
type Events = AuditEvent[];
const TYPES: readonly AuditType[] = ['account.signed_in', 'consent.granted'];

export const auditModel: Model<AuditStore, Events> = {
  start: () => [],
  operations: fc.oneof<fc.Arbitrary<Operation<AuditStore, Events>>[]>(
    fc.tuple(fc.uuid(), slot(4), slot(2), slot(2)).map(([id, at, account, type]) => {
      const made = (names: Names): AuditEvent => ({
        id: `evt_${id.slice(0, 23)}`,
        type: TYPES[type] ?? 'account.signed_in',
        at,
        accountId: names(`account${account}`),
        clientId: null,
        ip: null,
        requestId: names(id),
        details: { at },
      });
      return {
        text: `insert(${id}, at ${at}, account ${account}, ${TYPES[type]})`,
        async call(audit, names) {
          await audit.insert({ ...made(names), id: names(id).slice(-40) });
        },
        model(known, names) {
          known.push({ ...made(names), id: names(id).slice(-40) });
          return undefined;
        },
      };
    }),
    fc.tuple(slot(2), orNull(slot(2)), fc.constantFrom(1, 3, 50)).map(([account, type, limit]) => ({
      text: `list(account ${account}, ${type === null ? 'all' : TYPES[type]}, ${limit})`,
      call: (audit, names) =>
        audit.list({
          accountId: names(`account${account}`),
          ...(type === null ? {} : { type: TYPES[type] as AuditType }),
          limit,
        }),
      model: (known, names) =>
        [...known]
          .reverse()
          .filter((event) => event.accountId === names(`account${account}`))
          .filter((event) => type === null || event.type === TYPES[type])
          .sort((a, b) => b.at - a.at)
          .slice(0, limit),
    })),
    slot(4).map((before) => ({
      text: `purge(${before})`,
      alone: true,
      call: async (audit) => void (await audit.purge(before, 100_000)),
      model(known) {
        known.splice(0, known.length, ...known.filter(({ at }) => at >= before));
        return undefined;
      },
    })),
  ),
};
