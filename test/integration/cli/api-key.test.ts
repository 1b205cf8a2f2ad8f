import { expect } from 'chai';
import type { Services } from '../../../src/services.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const DAY_MS = 86_400_000;

describe('gatehouse api-key', () => {
  let gatehouse: Deployment;
  let services: Services & AsyncDisposable;
  let environment: string;
  before(async () => {
    gatehouse = createDeployment();
    services = await gatehouse.services();
    const ada = await services.manageAccounts.create({ email: 'ada@example.com', password: null });
    await services.manageAccounts.setScopes(
      ada.id,
      services.catalogue.slice(0, 1).map(({ name }) => name),
    );
    environment = Object.keys(services.keyFormat.environments)[0] ?? '';
  });
  after(async () => {
    await services[Symbol.asyncDispose]();
    gatehouse.remove();
  });
  const create = (...more: string[]) =>
    gatehouse.json(['api-key', 'create', '--owner', 'ada@example.com', '--name', 'Robot', ...more]);

  it('makes a key that is shown once', async () => {
    const { code, stdout } = await gatehouse.run([
      ...['api-key', 'create', '--owner', 'ada@example.com', '--name', 'Once'],
    ]);
    expect(code).to.equal(0);
    const [, id = '', secret = ''] = /^ +id +(key_\S+)\n +key +(\S+)$/m.exec(stdout) ?? [];
    expect(services.keyFormat.parse(secret)).to.deep.equal({ id, environment });
    expect(stdout.split(secret)).to.have.length(2);
    expect(stdout).to.match(/shown this once/);
    const list = await gatehouse.run(['api-key', 'list', '--owner', 'ada@example.com']);
    expect(list.stdout).to.match(/^ID +KEY +NAME +ENVIRONMENT +STATE +EXPIRES +LAST USED\n/);
    expect(list.stdout)
      .to.include(id)
      .and.to.include(`…${secret.slice(-4)}`)
      .and.not.to.include(secret);
  });

  it('stores nothing that opens anything', async () => {
    // On a database that this process has not open: closing a file drops every lock that SQLite holds on it.
    const other = createDeployment();
    await other.run(['user', 'create', '--email', 'ada@example.com', '--password-stdin'], {
      input: 'a long enough password',
    });
    const { id, key } = await other.json(['api-key', 'create', '--owner', 'ada@example.com', '--name', 'Robot']);
    expect(other.databaseBytes()).to.include(id).and.not.to.include(key.slice(-38, -6));
    other.remove();
  });

  it('makes it as it is told', async () => {
    const first = await create();
    const key = await create(
      ...['--environment', environment, '--scope', 'read', '--expires-in-days', '7', '--namespace', first.namespace],
      ...['--allow-address', '10.0.0.0/8', '--allow-address', '::1', '--limit', '100/1m'],
    );
    expect(key).to.deep.include({
      scopes: ['read'],
      namespace: first.namespace,
      limit: { quota: 100, windowSeconds: 60 },
    });
    expect(key).to.deep.include({ allowedAddresses: ['10.0.0.0/8', '::1'], createdBy: 'operator', state: 'active' });
    expect(Date.parse(key.expiresAt)).to.be.closeTo(Date.now() + 7 * DAY_MS, 60_000);
    const [newest] = await gatehouse.json(['api-key', 'list', '--owner', key.ownerId]);
    const { key: secret, ...shown } = key;
    expect(newest).to.deep.equal(shown);
    expect(services.keyFormat.parse(secret)?.id).to.equal(key.id);
  });

  it('names every problem under its option', async () => {
    const { code, stdout, stderr } = await gatehouse.run([
      ...['api-key', 'create', '--owner', 'ada@example.com', '--name', ' ', '--environment', 'nowhere'],
      ...['--expires-in-days', 'soon', '--allow-address', 'home', '--namespace', 'ns_other', '--limit', '0/60s'],
    ]);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    for (const option of ['name', 'environment', 'expires-in-days', 'allow-address', 'namespace', 'limit']) {
      expect(stderr).to.include(`error: --${option}: `);
    }
    expect(
      (await gatehouse.run(['api-key', 'create', '--owner', 'ada@example.com', '--name', 'x', '--limit', 'all'])).code,
    ).to.equal(2);
    const stranger = await gatehouse.run(['api-key', 'list', '--owner', 'nobody@example.com']);
    expect(stranger).to.include({ code: 1, stdout: '' });
    expect(stranger.stderr).to.include('no account nobody@example.com');
  });

  it('gives nobody more than the account has', async () => {
    const beyond = services.catalogue.filter((scope) => !scope.clientsOnly).at(-1)?.name ?? '';
    const args = ['api-key', 'create', '--owner', 'ada@example.com', '--name', 'x', '--scope', beyond];
    const { code, stderr } = await gatehouse.run(args);
    expect(code).to.equal(1);
    expect(stderr).to.include(beyond);
  });

  it('rotates with a day of overlap unless told otherwise', async () => {
    const first = await create();
    const second = await gatehouse.json(['api-key', 'rotate', first.id]);
    expect(Date.parse(second.oldSecretEndsAt)).to.be.closeTo(Date.now() + DAY_MS, 60_000);
    expect(services.keyFormat.parse(second.key)?.id).to.equal(first.id);
    const third = await gatehouse.json(['api-key', 'rotate', first.id, '--overlap', '0']);
    expect(third.oldSecretEndsAt).to.equal(null);
    const { current, previous } = (await services.stores.apiKeys.find(first.id))?.key ?? {};
    expect(previous).to.equal(null);
    expect(current && services.keyDigests.matches(third.key, current)).to.equal(true);
    expect((await gatehouse.run(['api-key', 'rotate', first.id, '--overlap', '8d'])).stderr).to.include('--overlap');
  });

  it('revokes for good', async () => {
    const { id } = await create();
    const revoked = await gatehouse.json(['api-key', 'revoke', id, '--reason', 'found in a log']);
    expect(revoked).to.include({ state: 'revoked', revokeReason: 'found in a log' });
    expect(await gatehouse.json(['api-key', 'revoke', id])).to.deep.equal(revoked);
    for (const command of ['rotate', 'resume'])
      expect((await gatehouse.run(['api-key', command, id])).code).to.equal(1);
    const unknown = await gatehouse.run(['api-key', 'revoke', 'key_nobody']);
    expect(unknown).to.include({ code: 1, stdout: '' });
    expect(unknown.stderr).to.include('See what there is: gatehouse api-key list');
  });

  it('resumes what a leak report has suspended', async () => {
    const { id } = await create();
    const found = await services.stores.apiKeys.find(id);
    if (found) await services.stores.apiKeys.update({ ...found.key, suspendedAt: Date.now() });
    expect((await gatehouse.json(['api-key', 'resume', id])).state).to.equal('active');
  });

  it('digests keys under a new pepper from then on, and those before stay good', async () => {
    const first = await create();
    expect(await gatehouse.json(['secrets', 'add-api-key-pepper'])).to.deep.equal({ pepper: 'api-key.2' });
    const second = await create();
    const digestOf = async (id: string) => (await services.stores.apiKeys.find(id))?.key.current ?? null;
    const [before, after] = [await digestOf(first.id), await digestOf(second.id)];
    expect([before?.pepperId, after?.pepperId]).to.deep.equal(['api-key.1', 'api-key.2']);
    await services.keyDigests.reload();
    expect(before && services.keyDigests.matches(first.key, before)).to.equal(true);
    expect(after && services.keyDigests.matches(second.key, after)).to.equal(true);
    const [event] = await services.stores.audit.list({ type: 'secrets.rotated', limit: 1 });
    expect(event?.details).to.deep.equal({ apiKeyPepper: 'api-key.2' });
  });
});
