import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { JWK } from 'jose';
import { SignJWT } from 'jose';
import { dataKeyContext } from '../../src/domain/data-keys/data-key.ts';
import { findUnusableRows } from '../../src/domain/row-macs/authenticate-rows.ts';
import { AUTHENTICATED_TABLES } from '../../src/domain/row-macs/row-macs.ts';
import {
  type ClientFlows,
  createClientFlows,
  createUserAgent,
  newVerifier,
  post,
  tokenOf,
  USER,
} from '../support/client-flows.ts';
import { createLedger, type Ledger } from '../support/e2e-ledger.ts';
import { until } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import { ALL_SETUPS, createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';

const WRONG_PASSWORD = 'a password that nobody ever had';
const OPERATOR_PASSWORD = 'a password from the command line';

/** Security requirements TK22, VA02 and LG01: a stolen dump or log opens no door; and who writes to the database gets in by no row. */
describeOn(ALL_SETUPS, 'after every flow, the stores and logs', (setup) => {
  let world: World;
  let node: Node;
  let parties: Parties;
  let flows: ClientFlows;
  let ledger: Ledger;

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this, { env: { LOG_LEVEL: 'trace' } });
    node = await world.start();
    parties = await createParties(await world.services());
    flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    ledger = createLedger();
    await everyFlow(ledger.watch(node.fetch));
    await collectKeys();
  });
  after(() => world?.close());

  async function everyFlow(fetch: Node['fetch']): Promise<void> {
    const agent = createUserAgent(fetch, world.issuer);
    const at = (path: string): string => `${world.issuer}/oauth2/${path}`;

    // A wrong password, a denial, then the way through; and one sign-in that is never finished.
    const start = flows.authorizationUrl(parties.basic.id, newVerifier());
    const shown = await agent.open(start);
    if (!('page' in shown)) throw new Error('no sign-in page');
    await agent.submit(shown.page, '/sign-in', { email: USER.email, password: WRONG_PASSWORD });
    await agent.submit(shown.page, '/cancel');
    await createUserAgent(fetch, world.issuer).open(start);

    for (const client of [parties.basic, parties.opaque]) {
      const issued = await flows.code(agent, client.id);
      const first = await flows.redeem(fetch, client, issued);
      const second = await flows.refresh(fetch, client, tokenOf(first, 'refresh_token'));
      // Answered from the receipt, which is then at rest.
      await flows.refresh(fetch, client, tokenOf(first, 'refresh_token'));
      await flows.introspect(fetch, client, tokenOf(second, 'access_token'));
      await flows.clientCredentials(fetch, client);
      const revoked = await flows.clientCredentials(fetch, client);
      await flows.revoke(fetch, client, tokenOf(revoked, 'access_token'));
    }
    const reused = await flows.code(agent, parties.public.id);
    await flows.redeem(fetch, parties.public, reused);
    await flows.redeem(fetch, parties.public, reused);
    await flows.code(agent, parties.public.id);

    const { id, secret = '', privateKey } = { ...parties.post, privateKey: parties.jwt.privateKey };
    await post(fetch, at('token'), { id }, { grant_type: 'client_credentials', client_secret: secret });
    if (!privateKey) throw new Error('no key');
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(parties.jwt.id)
      .setSubject(parties.jwt.id)
      .setAudience(world.issuer)
      .setExpirationTime('1m')
      .sign(privateKey);
    const asserted = {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    };
    for (const expected of [200, 401]) {
      expect((await post(fetch, at('token'), { id: parties.jwt.id }, asserted)).status).to.equal(expected);
    }
    // Wrong in every way a log might want to tell about.
    await post(fetch, at('token'), parties.basic, {
      grant_type: 'refresh_token',
      refresh_token: `grt_${'x'.repeat(43)}`,
    });
    await post(fetch, at('token'), { id: parties.basic.id, secret: 'a wrong client secret' }, asserted);
    await fetch(`${at('token')}?client_secret=${parties.basic.secret}`, {
      method: 'POST',
      body: new URLSearchParams(),
    });

    // For userinfo, then signed out; and signed in again, so that a session is at rest.
    const forUserinfo = await flows.code(agent, parties.basic.id, { scope: 'openid profile' });
    const user = await flows.redeem(fetch, parties.basic, forUserinfo);
    const bearer = { authorization: `Bearer ${tokenOf(user, 'access_token')}` };
    expect((await fetch(at('userinfo'), { headers: bearer })).status).to.equal(200);
    const asked = await agent.open(`${at('logout')}?id_token_hint=${tokenOf(user, 'id_token')}`);
    if (!('page' in asked)) throw new Error('no sign-out page');
    await agent.submit(asked.page, '/confirm', { logout: 'yes' });
    await flows.redeem(fetch, parties.basic, await flows.code(agent, parties.basic.id));
    for (const [name, value] of agent.cookies()) ledger.add(`cookie ${name}`, value);
    await everyApiFlow(node.fetch);
  }

  /** The JSON API: logins, API keys in every state, a provider key, an own client, answers kept for a repetition. */
  async function everyApiFlow(fetch: Node['fetch']): Promise<void> {
    const person = { email: 'api@example.com', password: 'a password for the JSON API' };
    ledger.add('password', person.password);
    let credential: string | undefined;
    async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
      const response = await fetch(world.issuer + path, {
        method,
        headers: {
          ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await response.text();
      // biome-ignore lint/suspicious/noExplicitAny: each operation has a shape of its own
      const answer: any = text === '' ? {} : JSON.parse(text);
      for (const name of ['key', 'access_token', 'refresh_token', 'client_secret']) {
        ledger.add(`${name} of the JSON API`, answer[name]);
        // The signature makes a JWT usable.
        ledger.add(`signature of an ${name}`, answer[name]?.split('.')[2]);
      }
      return { status: response.status, answer };
    }
    async function must(...asked: Parameters<typeof ask>) {
      const { status, answer } = await ask(...asked);
      if (status >= 300) throw new Error(`${asked[1]}: ${status} ${JSON.stringify(answer)}`);
      return answer;
    }

    await must('POST', '/v1/auth/sign-up', person);
    expect((await ask('POST', '/v1/auth/login', { ...person, password: WRONG_PASSWORD })).status).to.equal(401);
    const left = await must('POST', '/v1/auth/login', person);
    const { refresh_token: used } = await must('POST', '/v1/auth/login', person);
    // Twice: the answer to the second is kept with the first.
    for (let time = 0; time < 2; time += 1) {
      credential = (await must('POST', '/v1/auth/refresh', { refresh_token: used })).access_token;
    }
    const repeated = { 'idempotency-key': `repeat-${randomUUID()}` };
    ledger.add('Idempotency-Key', repeated['idempotency-key']);
    for (let time = 0; time < 2; time += 1) await must('POST', '/v1/api-keys', { name: 'Repeated' }, repeated);
    const rotated = await must('POST', '/v1/api-keys', { name: 'Rotated' });
    await must('POST', `/v1/api-keys/${rotated.id}/rotate`, { overlap_seconds: 600 });
    const leaked = await must('POST', '/v1/api-keys', { name: 'Leaked' });
    await must('POST', '/v1/leaks', { key: leaked.key, source: 'a scanner' });
    for (const text of [rotated.key, leaked.key, `${rotated.key.slice(0, -1)}~`]) {
      await fetch(`${world.issuer}/v1/auth/verify`, { headers: { 'x-api-key': text } });
      await fetch(`${world.issuer}/v1/auth/verify?api_key=${text}`);
    }
    await fetch(`${world.issuer}/v1/auth/verify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ credential: rotated.key }),
    });

    const added = { provider: 'openai', value: `sk-proj-${randomUUID()}${randomUUID()}` };
    const replacement = `sk-proj-${randomUUID()}${randomUUID()}`;
    for (const value of [added.value, replacement]) {
      ledger.add('provider key', value);
      // Nor what somebody who guesses could compare with.
      ledger.add('SHA-256 of a provider key', createHash('sha256').update(value).digest('hex'));
    }
    const { id } = await must('POST', '/v1/provider-keys', added, { 'idempotency-key': randomUUID() });
    await must('PATCH', `/v1/provider-keys/${id}`, { value: replacement });
    await must('POST', '/v1/clients', { name: 'A machine' });
    credential = left.access_token;
    await must('POST', '/v1/auth/logout', {});

    const imported = `sk-elsewhere-${randomUUID()}`;
    const digest = createHash('sha256').update(imported).digest('hex');
    ledger.add('imported API key', imported);
    ledger.add('SHA-256 of an imported API key', digest);
    const { manageApiKeys } = await world.services();
    await manageApiKeys.importMany([{ owner: person.email, name: 'Imported', digest, algorithm: 'sha256' }]);
    await until('the imported key', 7, async () => {
      const answer = await fetch(`${world.issuer}/v1/auth/verify`, { headers: { 'x-api-key': imported } });
      return answer.status === 200;
    });
  }

  /** What never crosses the wire. */
  async function collectKeys(): Promise<void> {
    ledger.add('password', USER.password);
    if ((TWO_SETUPS as readonly string[]).includes(setup)) await fromTheCommandLine();

    const { keySet, dataKeys, sealer, stores } = await world.services();
    await keySet.refresh();
    const addPrivate = (what: string, jwk: JWK): void => {
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
        const value = jwk[member] as string | undefined;
        ledger.add(`${what}.${member}`, value);
        if (value) ledger.add(`${what}.${member} as bytes`, Buffer.from(value, 'base64url').toString('latin1'));
      }
    };
    for (const key of keySet.all()) addPrivate(`signing key ${key.algorithm} ${key.state}`, key.privateJwk);
    addPrivate('client key', parties.jwt.privateJwk ?? {});
    const peppers = (await stores.dataKeys.list()).filter(({ name }) => name.startsWith('api-key.'));
    expect(peppers).not.to.deep.equal([]);
    const opened = peppers.map(({ name, sealed }) => [name, sealer.open(sealed, dataKeyContext(name))] as const);
    for (const [name, key] of [...Object.entries(dataKeys), ...opened]) {
      for (const form of ['base64url', 'base64', 'hex', 'latin1'] as const) {
        ledger.add(`data key ${name}`, key.toString(form));
      }
    }
    ledger.add('GATEHOUSE_SECRETS', world.secret);
  }

  async function fromTheCommandLine(): Promise<void> {
    const input = OPERATOR_PASSWORD;
    await world.cliJson(['user', 'create', '--email', 'grace@example.com', '--password-stdin'], { input });
    ledger.add('password', input);
    const { secret } = await world.cliJson(['client', 'create', '--type', 'machine', '--name', 'From the CLI']);
    expect(secret).to.be.a('string');
    ledger.add('client secret', secret);
    const rotated = await world.cliJson(['client', 'rotate-secret', parties.post.id]);
    ledger.add('client secret', rotated.secret);
    await world.cliJson(['keys', 'rotate', '--now']);
  }

  it('hold no credential in any form, while the server runs', async () => {
    expect(ledger.size()).to.be.greaterThan(90);
    const dump = await world.dump();
    // It is all there: accounts and clients in clear, sessions, tokens.
    expect(dump)
      .to.include(USER.email)
      .and.include(parties.basic.id)
      .and.include('Session')
      .and.include('RefreshToken')
      .and.include('LoginRefreshToken')
      .and.include('Imported')
      .and.include('openai');
    expect(ledger.foundIn(dump)).to.deep.equal([]);
  });

  it('hold no row that authorizes without the MAC that only the secrets make', async () => {
    const { rowMacs, rowWindow, stores } = await world.services();
    expect(rowWindow.isClosed()).to.equal(true);
    const tables = await Promise.all(AUTHENTICATED_TABLES.map((table) => stores.rowMacs.list(table, null, 1)));
    expect(tables.map(({ length }) => length)).to.deep.equal(AUTHENTICATED_TABLES.map(() => 1));
    expect(await findUnusableRows(stores.rowMacs, rowMacs)).to.deep.equal([]);
  });

  // Only SQLite's files change with the end.
  if (setup === 'SQLite') {
    it('hold none after it ended', async () => {
      expect(await node.stop()).to.equal(0);
      expect(ledger.foundIn(await world.dump())).to.deep.equal([]);
    });
  }

  it('hold none in the log, however much is logged', () => {
    // Development says hello with the passwords of its demonstration.
    const log = world.logs().replace(/^ *Gatehouse is ready[\s\S]*?<the access_token>.*$/m, '');
    expect(log).to.include('"route":"token authorization_code"').and.include('refused');
    expect(ledger.foundIn(log)).to.deep.equal([]);
  });
});
