import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

const PASSWORD = 'correct horse battery';
const CREATE = ['user', 'create', '--password-stdin', '--email'];

describe('gatehouse user', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('creates an account whose password comes from standard input, and never shows or stores it', async () => {
    const outcome = await gatehouse.run([...CREATE, 'Ada@Example.com', '--given-name', 'Ada', '--verified', '--json'], {
      input: `${PASSWORD}\n`,
    });
    const account = outcome.json();
    expect(account.id).to.match(/^acc_/);
    expect(account).to.deep.include({
      email: 'Ada@Example.com',
      emailVerified: true,
      givenName: 'Ada',
      familyName: null,
      hasPassword: true,
      disabledAt: null,
    });
    expect(account).not.to.have.property('passwordHash');
    expect(outcome.stdout + outcome.stderr + gatehouse.databaseBytes()).not.to.include(PASSWORD);
    await using services = await gatehouse.services();
    const stored = await services.stores.accounts.find(account.id);
    // Without the line break that `echo` adds.
    expect(await services.passwords.verify(stored?.passwordHash ?? null, PASSWORD)).to.equal(true);
  });

  it('refuses a weak password, an address in use and what is no address', async () => {
    const attempts = await Promise.all([
      gatehouse.run([...CREATE, 'bob@example.com'], { input: 'short' }),
      gatehouse.run([...CREATE, 'ADA@example.com'], { input: PASSWORD }),
      gatehouse.run([...CREATE, 'bob'], { input: PASSWORD }),
    ]);
    for (const { code, stdout } of attempts) expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    const [weak, taken, noAddress] = attempts.map(({ stderr }) => stderr);
    expect(weak).to.include('error: password: ');
    expect(taken).to.include('error: --email: there is an account');
    expect(noAddress).to.include('error: --email: ');
  });

  it('takes no password as an argument, and says how to give one where it cannot ask', async () => {
    const argument = await gatehouse.run(['user', 'create', '--email', 'bob@example.com', '--password', PASSWORD]);
    expect(argument.code).to.equal(2);
    const nowhere = await gatehouse.run(['user', 'create', '--email', 'bob@example.com']);
    expect(nowhere.code).to.equal(2);
    expect(nowhere.stderr).to.include('--password-stdin');
  });

  it('disables an account with everything it holds, by address or id, and enables it again', async () => {
    const [account] = await gatehouse.json(['user', 'list']);
    await using services = await gatehouse.services();
    await services.stores.tokens.insert({
      kind: 'Session',
      id: 'a-session',
      payload: '{}',
      createdAt: 0,
      expiresAt: 4_000_000_000,
      consumedAt: null,
      receipt: null,
      grantId: null,
      accountId: account.id,
      clientId: null,
      uid: 'u',
      userCode: null,
    });
    const disabled = await gatehouse.json(['user', 'disable', 'ada@example.com']);
    expect(Date.parse(disabled.disabledAt)).to.be.closeTo(Date.now(), 30_000);
    expect(await services.stores.tokens.find('Session', 'a-session')).to.equal(null);
    expect((await gatehouse.run(['user', 'list'])).stdout).to.match(/Ada@Example\.com +Ada +disabled/);
    expect((await gatehouse.json(['user', 'enable', account.id])).disabledAt).to.equal(null);
    expect((await gatehouse.run(['user', 'enable', 'acc_nobody'])).stderr).to.include('gatehouse user list');
  });

  it('sets a password', async () => {
    const outcome = await gatehouse.run(['user', 'set-password', 'ada@example.com', '--password-stdin'], {
      input: 'another long passphrase\r\n',
    });
    expect(outcome.code).to.equal(0);
    expect(outcome.stdout).to.include('signed out everywhere');
    await using services = await gatehouse.services();
    const stored = await services.stores.accounts.findByEmail('ada@example.com');
    expect(await services.passwords.verify(stored?.passwordHash ?? null, 'another long passphrase')).to.equal(true);
    expect(await services.passwords.verify(stored?.passwordHash ?? null, PASSWORD)).to.equal(false);
  });

  it('sets what an account may have: everything, nothing, or scopes that there are', async () => {
    expect((await gatehouse.json(['user', 'scopes', 'ada@example.com', '--none'])).scopes).to.deep.equal([]);
    const unknown = await gatehouse.run(['user', 'scopes', 'ada@example.com', 'no-such-scope', 'nor-this']);
    expect({ code: unknown.code, stdout: unknown.stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(unknown.stderr).to.include('no-such-scope, nor-this');
    const [account] = await gatehouse.json(['user', 'list']);
    expect(account.scopes).to.deep.equal([]);
    expect((await gatehouse.json(['user', 'scopes', account.id, '--all'])).scopes).to.equal(null);
  });

  it('deletes one for good, by address or id', async function () {
    this.timeout(30_000);
    const args = ['user', 'create', '--email', 'gone@example.com', '--password-stdin'];
    const { id } = await gatehouse.json(args, { input: PASSWORD });
    expect(await gatehouse.json(['user', 'delete', 'gone@example.com'])).to.deep.equal({ id, deleted: true });
    expect(await gatehouse.json(['user', 'list'])).to.have.length(1);
    const again = await gatehouse.run(['user', 'delete', id]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.include('gatehouse user list');
  });

  it('changes no scopes when it is not told which, or told two things', async () => {
    for (const args of [[], ['--all', '--none'], ['read', '--all'], ['read', '--none']]) {
      const { code, stderr } = await gatehouse.run(['user', 'scopes', 'ada@example.com', ...args]);
      expect(code).to.equal(2);
      expect(stderr).to.include('--all or --none');
    }
    expect((await gatehouse.json(['user', 'list']))[0].scopes).to.equal(null);
  });
});
