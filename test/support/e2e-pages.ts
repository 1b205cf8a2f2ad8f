/** The pages of one deployment, a client that sends its users there, and what people do on the pages. */
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import {
  type ClientFlows,
  createClientFlows,
  type IssuedCode,
  newVerifier,
  type TokenAnswer,
  tokenOf,
  USER,
} from './client-flows.ts';
import {
  accessibilityProblems,
  type CallbackServer,
  openSurfer,
  type Surfer,
  startCallbackServer,
} from './e2e-browser.ts';
import { createClient, createParties, createUser, type Party } from './e2e-parties.ts';
import { createWorld, type Node, type SetupName, type World } from './e2e-world.ts';
import { requirePart } from './requirements.ts';

/** Another person than USER. */
export const GRACE = { email: 'grace@example.com', password: 'a password that grace chose' };
export const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
export const NO_SCRIPT: BrowserContextOptions = { javaScriptEnabled: false };

/** One trip from the client to the issuer. */
export interface Visit extends Pick<IssuedCode, 'verifier'> {
  page: Page;
  state: string;
}

export interface Stage {
  readonly world: World;
  readonly node: Node;
  readonly client: Party;
  readonly callbacks: CallbackServer;
  readonly flows: ClientFlows;
  /** A browser with no history. */
  surfer(options?: BrowserContextOptions & { expectedStatuses?: number[] }): Promise<Surfer>;
  /** Goes where the client sends its user. */
  visit(page: Page, extra?: Record<string, string>): Promise<Visit>;
  /** Waits until the page has left for the client. */
  atClient(page: Page): Promise<void>;
  /** The answer the client got belongs to this visit, and its code gives tokens. */
  redeemed(visit: Visit): Promise<TokenAnswer>;
  /** For a page without scripts, in which no checker runs: of the same page in a browser where one can. */
  problemsOfCopy(page: Page): Promise<string[]>;
  /** Nobody has allowed anything yet. */
  forgetConsents(): Promise<void>;
  closeSurfers(): Promise<void>;
  close(): Promise<void>;
}

export async function openStage(setup: SetupName, context: Mocha.Context): Promise<Stage> {
  const chromium: Browser = await requirePart('chromium', context);
  const world = await createWorld(setup, context);
  const node = await world.start();
  const callbacks = await startCallbackServer();
  const services = await world.services();
  await createParties(services);
  await createUser(services, GRACE.email, GRACE.password);
  const client = await createClient(services, {
    id: 'pages-client',
    name: 'The Reading Room',
    redirectUris: [callbacks.callback],
    postLogoutRedirectUris: [`${callbacks.origin}/bye`],
  });
  const flows = createClientFlows({ issuer: world.issuer, redirectUri: callbacks.callback });
  const open: Surfer[] = [];

  const stage: Stage = {
    world,
    node,
    client,
    callbacks,
    flows,
    async surfer(options = {}) {
      const opened = await openSurfer(chromium, { sites: [world.issuer, callbacks.origin], ...options });
      open.push(opened);
      return opened;
    },
    async visit(page, extra = {}) {
      const [verifier, state] = [newVerifier(), newVerifier()];
      await page.goto(flows.authorizationUrl(client.id, verifier, { state, ...extra }).href);
      return { page, verifier, state };
    },
    atClient: (page) => page.waitForURL(`${callbacks.origin}/**`),
    async redeemed({ verifier, state }) {
      const parameters = callbacks.received.findLast((call) => call.parameters.get('state') === state)?.parameters;
      expect(parameters?.get('iss')).to.equal(world.issuer);
      const answer = await flows.redeem(node.fetch, client, { code: parameters?.get('code') ?? '', verifier });
      tokenOf(answer, 'access_token');
      return answer;
    },
    async problemsOfCopy(page) {
      const html = (await page.content()).replace(/<script[\s\S]*?<\/script>/g, '');
      const copy = await (await stage.surfer()).tab();
      await copy.route(page.url(), (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
      await copy.goto(page.url());
      return accessibilityProblems(copy);
    },
    async forgetConsents() {
      const { stores } = services;
      for (const { email } of [USER, GRACE]) {
        const account = await stores.accounts.findByEmail(email);
        if (account) await stores.consents.remove(account.id, client.id);
      }
    },
    async closeSurfers() {
      await Promise.all(open.splice(0).map((surfer) => surfer.close()));
    },
    async close() {
      await callbacks.close();
      await world.close();
    },
  };
  return stage;
}

export const heading = (page: Page): Promise<string> => page.getByRole('heading', { level: 1 }).innerText();

export const button = (page: Page, name: string | RegExp): Locator => page.getByRole('button', { name });

export async function fillIn(
  page: Page,
  { email, password }: { email: string; password: string } = USER,
): Promise<void> {
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(password);
}

export async function signIn(page: Page, user: { email: string; password: string } = USER): Promise<void> {
  await fillIn(page, user);
  await button(page, 'Sign in').click();
}

export const allow = (page: Page): Promise<void> => button(page, 'Allow').click();

export const subjectOf = (answer: TokenAnswer): string =>
  JSON.parse(Buffer.from(tokenOf(answer, 'id_token').split('.')[1] ?? '', 'base64url').toString()).sub;
