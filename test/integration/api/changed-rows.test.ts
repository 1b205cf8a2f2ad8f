import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import createKnex, { type Knex } from 'knex';
import { dataKeyContext } from '../../../src/domain/data-keys/data-key.ts';
import { knexConfig } from '../../../src/storage/sql/knex-config.ts';
import { call, good, type MadeKey, newKey, newPerson, outcome, type Person } from '../../support/api-client.ts';
import {
  authorization,
  basic,
  createClient,
  DEMO,
  obtainTokens,
  refresh,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const VALUE = 'sk-proj-the-stored-value-of-ada';

/** Somebody who can write the database, has an account, a key and a client of their own, and lacks GATEHOUSE_SECRETS. */
describe('whoever can write the database but lacks the secrets', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-changed-rows-'));
  const databaseUrl = `sqlite:${join(directory, 'gatehouse.sqlite')}`;
  let harness: Harness;
  let knex: Knex;
  let ada: Person;
  let mallory: Person;
  let machine: TestClient;
  before(async () => {
    harness = await startHarness({ env: { DATABASE_URL: databaseUrl, GATEHOUSE_DATA_DIR: directory } });
    harness.keepSecret(VALUE);
    knex = createKnex(knexConfig({ databaseUrl, log: () => {} }));
    ada = await newPerson(harness);
    mallory = await newPerson(harness);
    await good(call(harness, 'POST /v1/provider-keys', { as: ada.token, body: { provider: 'openai', value: VALUE } }));
  });
  after(async () => {
    await knex?.destroy();
    await harness?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  let mine: MadeKey;
  beforeEach(async () => {
    mine = await newKey(harness, mallory);
    const { client_id: id, client_secret: secret } = await good(
      call(harness, 'POST /v1/clients', { as: mallory.token, body: { name: 'Mine' } }),
    );
    harness.keepSecret(secret);
    machine = { id, secret, method: 'client_secret_basic' };
  });

  /** Writes past the server, as an intruder does; and no memory of the server is in the way. */
  async function write(table: string, where: object, change: object): Promise<void> {
    expect(await knex(table).where(where).update(change), `${table} changed`).to.equal(1);
    await harness.services.announce(
      `key:${mine.id}`,
      `client:${machine.id}`,
      `account:${ada.id}`,
      `account:${mallory.id}`,
    );
  }
  const resolve = () =>
    call(harness, 'POST /v1/provider-keys/resolve', {
      body: { provider: 'openai', credential: mine.key },
      headers: { authorization: basic(machine.id, machine.secret ?? '') },
    });
  const whoIs = (credential: string) => outcome(call(harness, 'POST /v1/auth/verify', { body: { credential } }));

  it('gets nothing from the vault by a key with another owner and a client with other scopes', async () => {
    await write('clients', { id: machine.id }, { owner_id: null, scopes: '["provider-keys:use"]' });
    await write('api_keys', { id: mine.id }, { owner_id: ada.id });
    const reply = await resolve();
    expect(reply.status).to.be.oneOf([401, 403]);
    expect(reply.text).not.to.include(VALUE);
    expect(harness.log.filter(({ table }) => table === 'clients')).to.have.length(1);
  });

  it('makes of no key one of another owner, environment, scope, end or bound', async () => {
    const changes: Record<string, unknown>[] = [
      { owner_id: ada.id },
      { environment: 'test' },
      { scopes: '["admin","provider-keys:use"]' },
      { scopes: 'no json' },
      { scopes: '7' },
      { allowed_addresses: '["127.0.0.1"]' },
      { allowed_addresses: '{}' },
      { namespace: 'ns_of-ada' },
      { limit_quota: 1_000_000, limit_window_seconds: 1 },
      { expires_at: 9_000_000_000_000 },
      { created_by: ada.id },
      { rotated_by: ada.id },
      { previous_by: ada.id },
      { current_pepper_id: 'api-key.2' },
      { row_mac: null },
      { row_mac: '' },
      { row_mac: 'é' },
    ];
    for (const change of changes) {
      const key = await newKey(harness, mallory);
      expect(await whoIs(key.key)).to.equal('200');
      await write('api_keys', { id: key.id }, change);
      await harness.services.announce(`key:${key.id}`);
      expect(await whoIs(key.key), JSON.stringify(change)).to.match(/^401 /);
      expect(await outcome(call(harness, `GET /v1/api-keys/${key.id}`, { as: mallory.token }))).to.match(/^404 /);
      expect(await outcome(call(harness, `GET /v1/api-keys/${key.id}`, { as: ada.token }))).to.match(/^404 /);
    }
    const { data } = await good(call(harness, 'GET /v1/api-keys', { as: ada.token }));
    expect(data).to.deep.equal([]);
  });

  it('brings no revoked key back', async () => {
    await good(call(harness, `DELETE /v1/api-keys/${mine.id}`, { as: mallory.token }));
    await write('api_keys', { id: mine.id }, { revoked_at: null, revoke_reason: null });
    expect(await whoIs(mine.key)).to.match(/^401 /);
  });

  it('puts the MAC of no row on another', async () => {
    const hers = await newKey(harness, ada);
    const row = await knex('api_keys').where({ id: hers.id }).first();
    await write('api_keys', { id: mine.id }, { owner_id: ada.id, scopes: row.scopes, row_mac: row.row_mac });
    expect(await whoIs(mine.key)).to.match(/^401 /);
    // Nor the digest of a secret on another's row.
    const own = await newKey(harness, mallory);
    const ownRow = await knex('api_keys').where({ id: own.id }).first();
    await write(
      'api_keys',
      { id: hers.id },
      { current_mac: ownRow.current_mac, current_pepper_id: ownRow.current_pepper_id },
    );
    await harness.services.announce(`key:${hers.id}`, `key:${own.id}`);
    expect(await whoIs(hers.key)).to.match(/^401 /);
    expect(await whoIs(own.key)).to.equal('200');
  });

  it('makes of no client another, whatever way it authenticates', async () => {
    const wanted = { grantTypes: ['client_credentials'] as const, scopes: ['read'] };
    for (const authMethod of ['client_secret_basic', 'private_key_jwt'] as const) {
      for (const change of [
        { scopes: '["read","admin","provider-keys:use"]' },
        { resources: `["${harness.issuer}"]` },
        { grant_types: '["client_credentials","authorization_code"]' },
        { redirect_uris: '["https://evil.example.com/"]' },
        { jwks: '[{"kty":"EC"}]' },
        { jwks: '[null]' },
        { owner_id: ada.id },
        { auth_method: 'client_secret_post' },
        { secrets: '[null]' },
        { secrets: '{}' },
        { secrets: '' },
        { token_binding: 'mtls' },
        { require_pkce: 0 },
        { name: 'Your bank' },
      ]) {
        const client = await createClient(harness, { ...wanted, authMethod });
        const ask = () => token(harness, client, { grant_type: 'client_credentials', scope: 'read' });
        expect((await ask()).status).to.equal(200);
        await write('clients', { id: client.id }, change);
        await harness.services.announce(`client:${client.id}`);
        expect((await ask()).status, `${authMethod} ${JSON.stringify(change)}`).to.equal(401);
      }
    }
    const spa = await createClient(harness, { authMethod: 'none' });
    await write('clients', { id: spa.id }, { redirect_uris: '["https://evil.example.com/"]' });
    const page = await harness.get(
      `/oauth2/authorize?client_id=${spa.id}&response_type=code&redirect_uri=https://evil.example.com/&scope=openid`,
    );
    expect(page.status).to.equal(400);
    expect(page.headers.location).to.equal(undefined);
  });

  it('signs in to no account of another, and gives no account more', async () => {
    const victim = await newPerson(harness);
    const { password_hash } = await knex('accounts').where({ id: mallory.id }).first();
    await write('accounts', { id: victim.id }, { password_hash });
    const body = { email: victim.email, password: mallory.password };
    expect(await outcome(call(harness, 'POST /v1/auth/login', { body }))).to.match(/^401 /);
    await harness.services.announce(`account:${victim.id}`);
    expect(await whoIs(victim.token)).to.match(/^401 /);

    const other = await newPerson(harness);
    await harness.services.manageAccounts.disable(other.id);
    await knex('accounts').where({ id: other.id }).update({ disabled_at: null, signed_out_at: null });
    const again = { email: other.email, password: other.password };
    expect(await outcome(call(harness, 'POST /v1/auth/login', { body: again }))).to.match(/^401 /);
  });

  it('makes of no grant, code or token that of another', async () => {
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid offline_access' });
    const row = await knex('token_records').where({ kind: 'RefreshToken' }).orderBy('created_at', 'desc').first();
    const payload = JSON.stringify({ ...JSON.parse(row.payload), accountId: ada.id });
    await write('token_records', { kind: 'RefreshToken', id: row.id }, { payload, account_id: ada.id });
    expect((await refresh(harness, DEMO.web, tokens.refresh_token)).status).to.equal(400);

    const more = await obtainTokens(harness, DEMO.web, { scope: 'openid offline_access' });
    const grants = await knex('token_records').where({ kind: 'Grant' });
    for (const grant of grants) {
      await knex('token_records').where({ kind: 'Grant', id: grant.id }).update({ payload: 'no json' });
    }
    expect((await refresh(harness, DEMO.web, more.refresh_token)).status).to.equal(400);

    const login = await newPerson(harness);
    await knex('token_records')
      .where({ kind: 'LoginRefreshToken', account_id: login.id })
      .update({ payload: JSON.stringify({ sessionId: 'x', accountId: ada.id, scopes: [] }) });
    const body = { refresh_token: login.refreshToken };
    expect(await outcome(call(harness, 'POST /v1/auth/refresh', { body }))).to.match(/^401 /);
  });

  it('breaks no page by a session that cannot be opened: it asks to sign in', async () => {
    const { browser } = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    const { url } = authorization(harness, DEMO.web, { scope: 'openid' });
    for (const change of [{ uid: 'another' }, { payload: 'v1.changed' }]) {
      await knex('token_records').where({ kind: 'Session' }).update(change);
      await harness.services.announce(`account:${ada.id}`);
      const page = await browser.open(url);
      expect(page.reply.status).to.be.below(400);
    }
    expect((await browser.open(url)).reply.text).to.include('type="password"');
  });

  it('publishes no signing key of their own', async () => {
    const before = (await harness.get('/oauth2/jwks')).json();
    await knex('signing_keys').update({ public_jwk: '{"kty":"EC","crv":"P-256","x":"evil","y":"evil"}' });
    await knex('signing_keys').update({ state_since: 1 });
    await harness.services.keySet.refresh();
    expect((await harness.get('/oauth2/jwks')).json()).to.deep.equal(before);
  });

  it('opens the window for rows without a MAC no more: it is part of how the digest key is sealed', async () => {
    const { sealer, stores, rowWindow } = harness.services;
    expect(rowWindow.isClosed()).to.equal(true);
    const digest = (await stores.dataKeys.list()).find(({ name }) => name === 'digest');
    expect(() => sealer.open(digest?.sealed ?? '', dataKeyContext('digest'))).to.throw('changed');
  });

  it('never reached an error of the server', () => {
    expect(harness.log.filter(({ level }) => level === 'error' || level === 'fatal')).to.deep.equal([]);
  });
});
