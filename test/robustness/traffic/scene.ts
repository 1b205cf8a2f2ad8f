/** Who takes part: clients, APIs, people, and the ways to speak as one of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { USE_PROVIDER_KEYS } from '../../../src/domain/scopes/scope.ts';
import type { Services } from '../../../src/services.ts';
import { type ClientCredentials, type ClientFlows, createClientFlows } from '../../support/client-flows.ts';
import { CALLBACK, createClient, createParties, createUser, type Parties } from '../../support/e2e-parties.ts';
import type { Ledger } from '../ledger.ts';
import { type Asker, json } from './asker.ts';
import { byVerify, type Holding, type Wallet } from './wallet.ts';

export interface Person {
  email: string;
  password: string;
}

export interface Scene {
  issuer: string;
  flows: ClientFlows;
  parties: Parties;
  gateway: ClientCredentials;
  people: readonly Person[];
  wallet: Wallet;
  /** One name for each value: two answers with the same value have the same result. */
  nameOf(kind: string, value: string): string;
}

/** One client, or one person, that goes on until the load ends. */
export interface Traffic {
  step(asker: Asker): Promise<void>;
  /** After the load: what was left open. */
  questions?(asker: Asker): Promise<void>;
}

/** Settings under which nothing of a run expires or is limited by itself. */
export const SETTINGS = {
  GATEHOUSE_CODE_LIFETIME: '10m',
  GATEHOUSE_REFRESH_GRACE: '2m',
  GATEHOUSE_LOGIN_TOKEN_LIFETIME: '1h',
  GATEHOUSE_INTERACTION_LIFETIME: '1h',
  GATEHOUSE_AUTHORIZATIONS: '10000000',
  GATEHOUSE_PROVIDER_KEY_USES: '1000000',
  // So that each client has an address of its own.
  GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
} as const;

export const LIFETIMES = {
  codeMs: 600_000,
  graceMs: 120_000,
  accessTokenMs: 900_000,
  loginTokenMs: 3_600_000,
} as const;

export const PEOPLE = 8;

export async function setScene(
  services: Services,
  { issuer, ledger, wallet }: { issuer: string; ledger: Ledger; wallet: Wallet },
): Promise<Scene> {
  const parties = await createParties(services);
  const gateway = await createClient(services, {
    id: 'robustness-gateway',
    grantTypes: ['client_credentials'],
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: [USE_PROVIDER_KEYS],
    resources: [issuer],
  });
  const people: Person[] = [];
  for (let number = 1; number <= PEOPLE; number += 1) {
    const person = { email: `person-${number}@example.com`, password: `a long enough password ${number}` };
    await createUser(services, person.email, person.password);
    people.push(person);
  }
  const names = new Map<string, string>();
  return {
    issuer,
    flows: createClientFlows({ issuer, redirectUri: CALLBACK }),
    parties,
    gateway,
    people,
    wallet,
    nameOf(kind, value) {
      const known = names.get(value);
      if (known !== undefined) return known;
      const name = ledger.name(kind);
      names.set(value, name);
      return name;
    },
  };
}

export const personOf = ({ people }: Scene, number: number): Person => {
  const person = people[number % people.length];
  if (!person) throw new Error('a scene without people');
  return person;
};

/** The access token of a person's login, renewed in time. Null while there is none to be got. */
export function createSignedIn(scene: Scene, person: Person): (asker: Asker) => Promise<string | null> {
  let current: { token: string; atMs: number } | null = null;
  return async (asker) => {
    if (current && asker.ledger.nowMs() - current.atMs < LIFETIMES.loginTokenMs / 4) return current.token;
    const { answer } = await asker.insist('login', {}, json(scene.issuer, '/v1/auth/login', { body: person }));
    if (answer?.status !== 200) {
      await sleep(500);
      return null;
    }
    current = { token: answer.body.access_token, atMs: asker.ledger.nowMs() };
    return current.token;
  };
}

/** A credential of the JSON API, which verify judges. */
export const verifiable = (
  { issuer }: Scene,
  name: string,
  value: string,
  { lifetimeMs = Number.POSITIVE_INFINITY }: { lifetimeMs?: number } = {},
): Holding => ({
  name,
  inMemory: false,
  lifetimeMs,
  question: json(issuer, '/v1/auth/verify', { body: { credential: value } }),
  isAlive: byVerify,
});
