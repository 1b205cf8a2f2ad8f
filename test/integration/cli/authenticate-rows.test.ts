import { expect } from 'chai';
import createKnex, { type Knex } from 'knex';
import { WINDOW_MS } from '../../../src/domain/row-macs/close-window.ts';
import { AUTHENTICATED_TABLES } from '../../../src/domain/row-macs/row-macs.ts';
import { knexConfig } from '../../../src/storage/sql/knex-config.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

describe('a database from before rows had MACs', () => {
  let gatehouse: Deployment;
  let knex: Knex;
  let client: { id: string };
  beforeEach(async () => {
    gatehouse = createDeployment();
    client = await gatehouse.json(['client', 'create', '--type', 'machine', '--name', 'Robot']);
    await gatehouse.json(['user', 'create', '--email', 'ada@example.com', '--password-stdin'], {
      input: 'a password of some length',
    });
    knex = createKnex(knexConfig({ databaseUrl: gatehouse.env.DATABASE_URL ?? '', log: () => {} }));
    await using services = await gatehouse.services();
    await services.rowWindow.reopen();
    for (const table of AUTHENTICATED_TABLES) await knex(table).update({ row_mac: null });
  });
  afterEach(async () => {
    await knex.destroy();
    gatehouse.remove();
  });
  const migrated = (atMs: number) =>
    knex('knex_migrations')
      .where({ name: '0003-row-macs' })
      .update({ migration_time: new Date(atMs).toISOString() });
  const finding = async (): Promise<{ status: string; detail: string }> => {
    const { stdout } = await gatehouse.run(['doctor', '--json']);
    return JSON.parse(stdout).findings.find(({ about }: { about: string }) => about === 'rows');
  };

  it('works on, and says in doctor what is left to do; the command ends it', async () => {
    expect((await gatehouse.json(['client', 'show', client.id])).id).to.equal(client.id);
    expect(await finding()).to.include({ status: 'warn' });
    const done = await gatehouse.json(['secrets', 'authenticate-rows']);
    expect(done).to.deep.equal({ closed: true, authenticated: 2 });
    expect(await finding()).to.include({ status: 'ok' });
    expect((await gatehouse.json(['client', 'show', client.id])).id).to.equal(client.id);
    expect(await gatehouse.json(['secrets', 'authenticate-rows'])).to.deep.equal({ closed: true, authenticated: 0 });
  });

  it('takes no row without a MAC after that, names it in doctor, and believes the operator who changed it', async () => {
    await gatehouse.json(['secrets', 'authenticate-rows']);
    await knex('clients').where({ id: client.id }).update({ scopes: '["openid"]' });
    expect((await gatehouse.run(['client', 'show', client.id])).code).to.equal(1);
    const found = await finding();
    expect(found.status).to.equal('fail');
    expect(found.detail).to.include(`1 row of clients`).and.include(client.id);
    expect(await gatehouse.json(['secrets', 'authenticate-rows', '--trust', client.id])).to.deep.equal({
      closed: true,
      authenticated: 1,
    });
    expect((await gatehouse.json(['client', 'show', client.id])).scopes).to.deep.equal(['openid']);
    expect(await finding()).to.include({ status: 'ok' });
  });

  it('ends it by itself a day after the migration, in every process, and not before', async () => {
    await using first = await gatehouse.services();
    await using second = await gatehouse.services();
    await migrated(Date.now() - WINDOW_MS + 60_000);
    await first.jobs.runAll();
    expect([first.rowWindow.isClosed(), second.rowWindow.isClosed()]).to.deep.equal([false, false]);
    await migrated(Date.now() - WINDOW_MS - 1000);
    const done = await first.jobs.runAll();
    expect(done['authenticate-rows']).to.equal(2);
    await second.jobs.runAll();
    expect([first.rowWindow.isClosed(), second.rowWindow.isClosed()]).to.deep.equal([true, true]);
    expect(await second.findClient(client.id)).not.to.equal(null);
    const [event] = await first.stores.audit.list({ type: 'rows.authenticated', limit: 1 });
    expect(event?.details).to.deep.equal({ rows: 2 });
  });

  it('gives every row that is written meanwhile its MAC, and takes those that an older version writes', async () => {
    await using services = await gatehouse.services();
    const { client: made } = await services.manageClients.create({
      ...(await services.manageClients.get(client.id)),
      id: 'made-meanwhile',
    });
    expect((await knex('clients').where({ id: made.id }).first()).row_mac).to.be.a('string');
    // As an older version does: it knows no column of that name.
    await knex('clients')
      .where({ id: made.id })
      .update({ scopes: '["openid"]', updated_at: made.updatedAt + 1 });
    expect((await services.manageClients.get(made.id)).scopes).to.deep.equal(['openid']);
    await services.closeRowWindow();
    expect((await services.manageClients.get(made.id)).scopes).to.deep.equal(['openid']);
  });

  it('is opened again only with the secrets, for going back', async () => {
    await gatehouse.json(['secrets', 'authenticate-rows']);
    await using services = await gatehouse.services();
    await knex('clients').where({ id: client.id }).update({ row_mac: null });
    expect(await services.stores.clients.find(client.id)).to.equal(null);
    expect(await gatehouse.json(['secrets', 'authenticate-rows', '--reopen'])).to.deep.equal({
      closed: false,
      authenticated: 0,
    });
    await services.rowWindow.refresh();
    expect(await services.stores.clients.find(client.id)).not.to.equal(null);
  });

  it('is not opened by a command that was to trust one row', async () => {
    await gatehouse.json(['secrets', 'authenticate-rows']);
    const { code, stderr } = await gatehouse.run(['secrets', 'authenticate-rows', '--trust', client.id, '--reopen']);
    expect([code, stderr]).to.deep.equal([
      2,
      'error: --trust and --reopen exclude each other\nSee: gatehouse secrets authenticate-rows --help\n',
    ]);
    await using services = await gatehouse.services();
    expect(services.rowWindow.isClosed()).to.equal(true);
  });

  it('says when there is no such row to trust', async () => {
    const { code, stderr } = await gatehouse.run(['secrets', 'authenticate-rows', '--trust', 'cli_mistyped']);
    expect(code).to.equal(2);
    expect(stderr).to.include('no row cli_mistyped needs a MAC');
  });

  it('keeps its answer when the secrets rotate', async () => {
    await gatehouse.json(['secrets', 'authenticate-rows']);
    const secret = JSON.parse((await import('node:fs')).readFileSync(`${gatehouse.folder}/data/secrets.json`, 'utf8'))
      .secrets[0];
    const fresh = 'another secret of at least 32 characters';
    await gatehouse.json(['secrets', 'rotate'], { env: { GATEHOUSE_SECRETS: `${fresh},${secret}` } });
    await using services = await gatehouse.services({ GATEHOUSE_SECRETS: fresh });
    expect(services.rowWindow.isClosed()).to.equal(true);
    expect(await services.stores.clients.find(client.id)).not.to.equal(null);
  });
});
