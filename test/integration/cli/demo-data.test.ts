import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { findDemo, loadDemo } from '../../../seeds/demo.ts';
import { freePort } from '../../support/free-port.ts';
import { startGatehouse } from '../../support/processes.ts';
import { createDeployment, type Deployment, type Outcome } from './run-cli.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const SECRET = 'tEuZNQZmAlRxpCzcaVFdqzM1XKyRPdGIO9f2sGIcRJI=';
const PRODUCTION = { NODE_ENV: 'production', ISSUER: 'https://auth.invalid', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' };
const PUBLISHED = [
  'demo-web',
  'demo-spa',
  'demo-native',
  'demo-machine',
  'demo-jwt',
  'demo-api',
  'demo-gateway',
  'ada@example.com',
];

describe('demonstration data where strangers may come', function () {
  // A process for each way to start, and for each command.
  this.timeout(120_000);
  let gatehouse: Deployment;
  beforeEach(() => {
    gatehouse = createDeployment({ GATEHOUSE_SECRETS: SECRET });
  });
  afterEach(() => gatehouse.remove());

  async function seed(): Promise<void> {
    await using services = await gatehouse.services();
    await loadDemo(services);
  }

  /** The process until it ends by itself; one that serves is ended, with code null. */
  async function start(env: Record<string, string>, args: string[] = []): Promise<{ code: unknown; stderr: string }> {
    const given = { ...gatehouse.env, PATH: process.env.PATH, PORT: String(await freePort()), ...env };
    return new Promise((resolve) => {
      const options = { cwd: gatehouse.folder, env: given, timeout: 60_000 };
      execFile(process.execPath, [MAIN, ...args], options, (error, _stdout, stderr) => {
        resolve({ code: error?.code ?? (error ? null : 0), stderr });
      });
    });
  }

  it('keeps every kind of process from starting, in one sentence with what it found and what mends it', async () => {
    await seed();
    const starts = [
      start(PRODUCTION),
      start(PRODUCTION, ['worker']),
      start({ ...PRODUCTION, WEB_CONCURRENCY: '2' }),
      // Whatever NODE_ENV says.
      start({ ISSUER: 'https://auth.invalid' }),
      start({ NODE_ENV: 'test', GATEHOUSE_HOST: '0.0.0.0' }),
      start({ GATEHOUSE_HOST: '::', GATEHOUSE_DEMO: 'false' }),
    ];
    for (const { code, stderr } of await Promise.all(starts)) {
      expect(code, stderr).to.equal(1);
      expect(stderr).to.match(
        /DATABASE_URL: the database holds demonstration data, .*Run: gatehouse client delete demo-web && /,
      );
      for (const what of PUBLISHED) expect(stderr).to.include(what);
      expect(stderr.trim().split('\n')).to.have.length(2);
    }
  });

  it('is found by doctor too, and gone after the commands that both name', async () => {
    await seed();
    const found = await gatehouse.run(['doctor', '--json'], { env: PRODUCTION });
    const finding = found.json().findings.find(({ about }: { about: string }) => about === 'demonstration data');
    expect(finding.status).to.equal('fail');
    for (const what of PUBLISHED) expect(finding.detail).to.include(what);
    const commands = /^Run: (.*); or take/.exec(finding.advice)?.[1]?.split(' && ') ?? [];
    expect(commands).to.have.length(PUBLISHED.length);
    const outcomes: Outcome[] = [];
    for (const command of commands)
      outcomes.push(await gatehouse.run(command.split(' ').slice(1), { env: PRODUCTION }));
    for (const { code, stderr } of outcomes) expect(code, stderr).to.equal(0);
    const after = await gatehouse.run(['doctor', '--json'], { env: PRODUCTION });
    expect(after.json().findings).to.deep.include({ about: 'demonstration data', status: 'ok', detail: 'none' });
    const env = { ...gatehouse.env, ...PRODUCTION, GATEHOUSE_HOST: '127.0.0.1' };
    const server = await startGatehouse({ env, cwd: gatehouse.folder, readyWhen: /"msg":"ready"/ });
    expect(await server.stop()).to.equal(0);
  });

  it('is the published secret, not the name: with secrets of their own they are the operator’s', async () => {
    await seed();
    await using services = await gatehouse.services();
    for (const id of ['demo-web', 'demo-machine', 'demo-api']) await services.manageClients.rotateSecret(id, 0);
    // Still accepted until its overlap is over.
    await services.manageClients.rotateSecret('demo-gateway', 60);
    const ada = await services.stores.accounts.findByEmail('ada@example.com');
    await services.manageAccounts.setPassword(ada?.id ?? '', 'another long password of hers');
    const found = (await findDemo(services)).map(({ what }) => what);
    expect(found).to.have.members(['demo-spa', 'demo-native', 'demo-jwt', 'demo-gateway']);
  });

  it('is not made there: development behind an https issuer starts without it', async () => {
    const env = { ...gatehouse.env, ISSUER: 'https://auth.invalid' };
    const server = await startGatehouse({ env, cwd: gatehouse.folder, readyWhen: /"msg":"ready"/ });
    expect(server.output()).not.to.include('demo-web');
    expect(await server.stop()).to.equal(0);
    await using services = await gatehouse.services();
    expect(await findDemo(services)).to.deep.equal([]);
    const asked = await gatehouse.run(['config', 'check'], {
      env: { ISSUER: 'https://auth.invalid', GATEHOUSE_DEMO: 'true' },
    });
    expect(asked.code).to.equal(1);
    expect(asked.stderr).to.include(
      'GATEHOUSE_DEMO: demonstration data has published passwords and is refused here: the issuer is https',
    );
  });
});
