import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import packageJson from '../../../package.json' with { type: 'json' };
import { loadDemo } from '../../../seeds/demo.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  ISSUER: 'https://auth.invalid',
  GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
  GATEHOUSE_SECRETS: 'tEuZNQZmAlRxpCzcaVFdqzM1XKyRPdGIO9f2sGIcRJI=',
};

describe('the gatehouse binary', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('tells its version and its commands, and makes nothing', async () => {
    expect((await gatehouse.run(['--version'])).stdout).to.equal(`${packageJson.version}\n`);
    const help = await gatehouse.run(['--help']);
    expect(help).to.include({ code: 0, stderr: '' });
    for (const command of ['client', 'user', 'resource', 'keys', 'secrets', 'migrate', 'purge', 'config', 'doctor']) {
      expect(help.stdout).to.match(new RegExp(`^  ${command} `, 'm'));
    }
    expect(existsSync(join(gatehouse.folder, 'data'))).to.equal(false);
  });

  it('runs on the packaged Node when the one that starts it is too old', async () => {
    // Stands in for an old Node: same program, lower version.
    const pretend = join(gatehouse.folder, 'pretend.mjs');
    writeFileSync(pretend, "Object.defineProperty(process.versions, 'node', { value: '20.0.0' });\n");
    const NODE_OPTIONS = `--import=${pretend}`;
    const good = await gatehouse.run(['config', 'check', '--json'], { env: { NODE_OPTIONS } });
    expect(good).to.include({ code: 0, stderr: '' });
    expect(good.json().ok).to.equal(true);
    // The exit code and the output are the child's.
    const bad = await gatehouse.run(['client', 'nonsense'], { env: { NODE_OPTIONS } });
    expect(bad).to.include({ code: 2, stdout: '' });
    expect(bad.stderr).to.include('unknown command');
  });

  it('takes --json before and after the command', async () => {
    for (const args of [
      ['--json', 'config', 'check'],
      ['config', 'check', '--json'],
    ]) {
      expect((await gatehouse.run(args)).json().ok, args.join(' ')).to.equal(true);
    }
  });

  it('says what to do when the database cannot be reached, without its password', async () => {
    const { code, stdout, stderr } = await gatehouse.run(['client', 'list'], {
      env: { DATABASE_URL: 'postgres://gatehouse:hunter2@127.0.0.1:1/gatehouse' },
    });
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.include('gatehouse doctor').and.not.to.include('hunter2');
  });
});

describe('gatehouse migrate', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment({ ...PRODUCTION, GATEHOUSE_SECRETS: '' });
  });
  after(() => gatehouse.remove());

  it('shows and applies migrations without any secret, once', async () => {
    const before = await gatehouse.json(['migrate', 'status']);
    expect(before.length).to.be.at.least(1);
    for (const { appliedAt } of before) expect(appliedAt).to.equal(null);
    expect((await gatehouse.run(['migrate', 'status'])).stdout).to.include('to apply: gatehouse migrate up');

    const names = before.map(({ name }: { name: string }) => name);
    expect(await gatehouse.json(['migrate', 'up'])).to.deep.equal({ applied: names });
    expect(await gatehouse.json(['migrate', 'up'])).to.deep.equal({ applied: [] });
    for (const { appliedAt } of await gatehouse.json(['migrate', 'status'])) {
      expect(Date.parse(appliedAt)).to.be.closeTo(Date.now(), 60_000);
    }
    expect(existsSync(join(gatehouse.folder, 'data', 'secrets.json'))).to.equal(false);
  });

  it('lets two releases migrate at once', async () => {
    const other = createDeployment();
    try {
      const [one, two] = await Promise.all([other.json(['migrate', 'up']), other.json(['migrate', 'up'])]);
      expect([...one.applied, ...two.applied]).to.deep.equal((await other.json(['migrate', 'status'])).map(nameOf));
    } finally {
      other.remove();
    }
  });
});

const nameOf = ({ name }: { name: string }): string => name;

describe('production', () => {
  let gatehouse: Deployment;
  beforeEach(() => {
    gatehouse = createDeployment(PRODUCTION);
  });
  afterEach(() => gatehouse.remove());

  it('refuses to go on without secrets, and opens nothing', async () => {
    const { code, stderr } = await gatehouse.run(['client', 'list'], { env: { GATEHOUSE_SECRETS: undefined } });
    expect(code).to.equal(1);
    expect(stderr).to.match(/GATEHOUSE_SECRETS: must be set in production; make one with/);
    expect(existsSync(join(gatehouse.folder, 'data'))).to.equal(false);
  });

  it('refuses tables that are not up to date, and says what to run', async () => {
    const { code, stderr } = await gatehouse.run(['client', 'list']);
    expect(code).to.equal(1);
    expect(stderr).to.match(/migration\(s\) are not applied .*run: gatehouse migrate up/);
    expect(await gatehouse.json(['migrate', 'up'])).to.have.property('applied');
    expect(await gatehouse.json(['client', 'list'])).to.deep.equal([]);
  });

  it('refuses demonstration data: the setting and the loader', async () => {
    const { stderr } = await gatehouse.run(['config', 'check'], { env: { GATEHOUSE_DEMO: 'true' } });
    expect(stderr).to.include('GATEHOUSE_DEMO: demonstration data has published passwords');
    await gatehouse.json(['migrate', 'up']);
    await using services = await gatehouse.services();
    await loadDemo(services).then(
      () => expect.fail('it must be refused'),
      (error: Error) => expect(error.message).to.match(/refused here: this is production/),
    );
    expect(await gatehouse.run(['doctor'])).to.include({ code: 0 });
  });
});

describe('gatehouse config check', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('prints the configuration in force without any secret', async () => {
    const env = { ...PRODUCTION, DATABASE_URL: 'postgres://gatehouse:hunter2@db/gatehouse?sslmode=verify-full' };
    for (const args of [
      ['config', 'check'],
      ['config', 'check', '--json'],
    ]) {
      const { code, stdout, stderr } = await gatehouse.run(args, { env });
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).to.include('postgres://gatehouse:***@db/gatehouse').and.to.include('https://auth.invalid');
      expect(stdout).not.to.include(PRODUCTION.GATEHOUSE_SECRETS);
    }
  });

  it('names every problem at once, those of the secrets too', async () => {
    const env = { NODE_ENV: 'production', GATEHOUSE_ISUER: 'x', PORT: 'http', GATEHOUSE_SECRETS: 'short' };
    const { code, stdout, stderr } = await gatehouse.run(['config', 'check'], { env });
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    for (const name of ['GATEHOUSE_ISUER', 'PORT', 'ISSUER', 'TLS', 'GATEHOUSE_SECRETS'])
      expect(stderr).to.include(`- ${name}: `);
    const machine = await gatehouse.run(['config', 'check', '--json'], { env });
    expect(machine.code).to.equal(1);
    expect(machine.json().ok).to.equal(false);
    for (const problem of machine.json().problems) expect(stderr).to.include(problem);
  });
});

describe('gatehouse purge', () => {
  it('runs every job once and counts what it did', async () => {
    const gatehouse = createDeployment();
    try {
      await using services = await gatehouse.services();
      const record = { payload: '{}', grantId: null, accountId: null, clientId: null, uid: null, userCode: null };
      for (const [id, expiresAt] of [
        ['gone', 1],
        ['alive', 4_000_000_000],
      ] as const) {
        await services.stores.tokens.insert({
          ...record,
          kind: 'AccessToken',
          id,
          createdAt: 0,
          expiresAt,
          consumedAt: null,
          receipt: null,
        });
      }
      const done = await gatehouse.json(['purge']);
      expect(done['purge-tokens']).to.equal(1);
      expect(await services.stores.tokens.find('AccessToken', 'gone')).to.equal(null);
      expect(await services.stores.tokens.find('AccessToken', 'alive')).not.to.equal(null);
    } finally {
      gatehouse.remove();
    }
  });
});
