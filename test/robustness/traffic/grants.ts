/** Codes and what they are redeemed for: by one client, by two at once, again, and never. */
import {
  createUserAgent,
  type IssuedCode,
  newVerifier,
  type TokenAnswer,
  type UserAgent,
} from '../../support/client-flows.ts';
import type { Party } from '../../support/e2e-parties.ts';
import type { Claims, Use } from '../ledger.ts';
import { isUnanswered, succeeded, wasRefused } from '../ledger.ts';
import type { Asker, Send, Told } from './asker.ts';
import { LIFETIMES, type Person, type Scene, type Traffic } from './scene.ts';
import { byIntrospection, type Holding } from './wallet.ts';

/** What a client was given by one authorization. */
export interface Grant {
  client: Party;
  refreshToken: string;
  accessToken: string;
  /** The names of every credential it ever had. */
  names: string[];
}

export interface Issued extends IssuedCode {
  name: string;
  givenMs: number;
  client: Party;
}

export interface Authorizer {
  /** Through sign-in and consent; null when a page was not to be got. */
  code(asker: Asker): Promise<Issued | null>;
}

export function createAuthorizer(scene: Scene, client: Party, person: Person): Authorizer {
  let browser: UserAgent | null = null;
  return {
    async code(asker) {
      const fetch = asker.recorded('page');
      browser ??= createUserAgent(fetch, scene.issuer);
      browser.use(fetch);
      const verifier = newVerifier();
      try {
        const url = scene.flows.authorizationUrl(client.id, verifier, { prompt: 'consent' });
        const twice = asker.random.chance(0.15);
        const callback = await (twice ? consentTwice(asker, browser, url, person) : browser.authorize(url, person));
        const code = callback.searchParams.get('code');
        if (!code) throw new Error(`no code: ${callback.searchParams.get('error')}`);
        return { code, verifier, client, name: asker.ledger.name('code'), givenMs: asker.ledger.nowMs() };
      } catch {
        // Every page and every missing one is in the ledger. A person would start again, some in a new window.
        if (asker.random.chance(0.3)) browser = null;
        return null;
      }
    },
  };
}

/** One page, its form sent twice at once: it gives one code. */
async function consentTwice(asker: Asker, browser: UserAgent, url: URL, person: Person): Promise<URL> {
  let stop = await browser.open(url);
  if ('page' in stop && /name="password"/.test(stop.page.html)) {
    stop = await browser.submit(stop.page, '/sign-in', { email: person.email, password: person.password });
  }
  if (!('page' in stop)) throw new Error('no consent page');
  const { page } = stop;
  // The second of them may find that the sign-in is over.
  browser.use(asker.recorded('page', { mayRefuse: true }));
  const uses: Use = { thing: asker.ledger.name('consent page'), rule: 'once', retryForMs: 0 };
  const send = async (): Promise<URL | null> => {
    const call = asker.ledger.begin('consent', 'a', { uses });
    const left = await browser.submit(page, '/consent').then(
      (next) => ('left' in next && next.left.searchParams.get('code') ? next.left : null),
      () => null,
    );
    // What the pages were is on record; here only the codes are counted.
    if (left) asker.ledger.end(call, { kind: 'answer', status: 200, retryAfter: false });
    return left;
  };
  const [first, second] = await Promise.all([send(), send()]);
  const callback = first ?? second;
  if (!callback) throw new Error('no code');
  return callback;
}

const useOf = ({ name, givenMs }: Issued): Use => ({
  thing: name,
  rule: 'once',
  givenMs,
  goodForMs: LIFETIMES.codeMs,
  retryForMs: 0,
});

/** The tokens of an answer, in the ledger and in the wallet. */
export function receive(scene: Scene, client: Party, answer: TokenAnswer, call: Claims): Grant | null {
  const { refresh_token: refreshToken, access_token: accessToken } = answer.body;
  if (answer.status !== 200 || !refreshToken || !accessToken) return null;
  const opaque = client.id === scene.parties.opaque.id;
  const api = opaque ? scene.parties.opaqueApi : scene.parties.jwtApi;
  const holdings: Holding[] = [
    {
      name: scene.nameOf('refresh token', refreshToken),
      inMemory: false,
      lifetimeMs: Number.POSITIVE_INFINITY,
      question: (fetch) => scene.flows.introspect(fetch, client, refreshToken),
      isAlive: byIntrospection,
    },
    {
      name: scene.nameOf('access token', accessToken),
      inMemory: opaque,
      lifetimeMs: LIFETIMES.accessTokenMs,
      question: (fetch) => scene.flows.introspect(fetch, api, accessToken),
      isAlive: byIntrospection,
    },
  ];
  call.gives = holdings;
  call.result = holdings.map(({ name }) => name).join(' and ');
  scene.wallet.add(...holdings);
  return { client, refreshToken, accessToken, names: holdings.map(({ name }) => name) };
}

/** Redeems a code as an honest client does: once more when there was no answer. */
export async function redeem(asker: Asker, scene: Scene, issued: Issued): Promise<Grant | null> {
  let grant: Grant | null = null;
  await asker.insist('redeem', { uses: useOf(issued) }, sendOf(scene, issued), (answer, call) => {
    grant = receive(scene, issued.client, answer, call) ?? grant;
  });
  return grant;
}

const sendOf =
  ({ flows }: Scene, { client, code, verifier }: Issued): Send =>
  (fetch) =>
    flows.redeem(fetch, client, { code, verifier });

export async function revoke(asker: Asker, { flows }: Scene, { client, refreshToken, names }: Grant): Promise<void> {
  await asker.insist('revoke', { ends: names }, (fetch) => flows.revoke(fetch, client, refreshToken));
}

export function createGrantTraffic(scene: Scene, client: Party, person: Person): Traffic {
  const authorizer = createAuthorizer(scene, client, person);
  const left: Issued[] = [];

  /** The same code at both nodes at once: one success at most, and then the end of what came of it. */
  async function redeemTwice(asker: Asker, issued: Issued): Promise<void> {
    const grants: Grant[] = [];
    const both = await asker.askBoth('redeem', { uses: useOf(issued) }, sendOf(scene, issued), (answer, call) => {
      const grant = receive(scene, client, answer, call);
      if (grant) grants.push(grant);
    });
    if (both.some(({ call }) => succeeded(call) || wasRefused(call))) markEnd(both, grants);
    else await redeem(asker, scene, issued);
  }

  /** Somebody else has the code, and tries it after its owner. */
  async function steal(asker: Asker, issued: Issued, grant: Grant): Promise<void> {
    const told = await asker.ask('redeem', { uses: useOf(issued) }, sendOf(scene, issued), {
      read: (answer, call) => void receive(scene, client, answer, call),
    });
    markEnd([told], [grant]);
  }

  function markEnd(uses: readonly Told[], grants: readonly Grant[]): void {
    for (const { call } of uses) {
      if (succeeded(call) || !(wasRefused(call) || isUnanswered(call))) continue;
      call.ends = grants.flatMap(({ names }) => names);
      call.endsByRefusal = true;
    }
  }

  return {
    async step(asker) {
      const issued = await authorizer.code(asker);
      if (!issued) return asker.rest(300);
      const dice = asker.random.next();
      if (dice < 0.12) left.push(issued);
      else if (dice < 0.3) await redeemTwice(asker, issued);
      else {
        const grant = await redeem(asker, scene, issued);
        if (grant && dice < 0.4) await steal(asker, issued, grant);
        else if (grant && dice < 0.7) await revoke(asker, scene, grant);
      }
      await asker.rest(350);
    },
    async questions(asker) {
      for (const issued of left.splice(0)) {
        const young = asker.ledger.nowMs() - issued.givenMs < LIFETIMES.codeMs / 2;
        if (young) await redeem(asker, scene, issued);
      }
    },
  };
}
