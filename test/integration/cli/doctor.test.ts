import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { requirePart } from '../../support/requirements.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

interface Finding {
  about: string;
  status: string;
  detail: string;
  advice?: string;
}

describe('gatehouse doctor', () => {
  let gatehouse: Deployment;
  async function findings(
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; of: (about: string) => Finding[] }> {
    const { code, stdout } = await gatehouse.run(['doctor', '--json'], { env });
    const all: Finding[] = JSON.parse(stdout).findings;
    return { code, of: (about) => all.filter((finding) => finding.about === about) };
  }
  const statusOf = (found: readonly Finding[]): string => found.map(({ status }) => status).join(' ');

  beforeEach(() => {
    gatehouse = createDeployment();
  });
  afterEach(() => gatehouse.remove());

  it('finds nothing wrong with a deployment that is in use', async () => {
    await gatehouse.json(['keys', 'list']);
    const { code, of } = await findings();
    expect(code).to.equal(0);
    expect(statusOf(of('database'))).to.equal('ok');
    expect(of('database')[0]?.detail).to.match(/^SQLite \d/);
    expect(statusOf(of('signing keys'))).to.equal('ok ok');
    expect(statusOf(of('secrets'))).to.equal('ok');
    const { stdout, stderr } = await gatehouse.run(['doctor']);
    expect(stdout).to.match(/^ok {4}configuration +for development\n[\s\S]*Nothing is broken\.\n$/);
    expect(stderr).to.equal('');
  });

  it('names what a clock that was ahead has written, how far ahead it is, and what to do', async () => {
    await gatehouse.json(['keys', 'list']);
    const file = join(gatehouse.folder, 'data', 'gatehouse.sqlite');
    const ahead = Date.now() + 365 * 86_400_000;
    execFileSync(process.execPath, [
      '-e',
      `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1]);
       db.exec("insert into leases (name, holder, ends_at) values ('job:x', 'gone', ${ahead})");
       db.exec("insert into rate_limits (id, arrives_at) values ('x', ${ahead}000)");`,
      file,
    ]);
    const { code, of } = await findings();
    expect(code).to.equal(0);
    expect(of('clock').map(({ status, detail }) => `${status} ${detail}`)).to.deep.equal([
      'warn leases.ends_at: 1 row up to 365 days in the future',
      'warn rate_limits.arrives_at: 1 row up to 365 days in the future',
    ]);
    expect(of('clock')[0]?.advice).to.include('nothing to do');
  });

  it('says that others can read the database file, and the next start takes that right away', async () => {
    await gatehouse.json(['keys', 'list']);
    const file = join(gatehouse.folder, 'data', 'gatehouse.sqlite');
    chmodSync(file, 0o644);
    expect(statusOf((await findings()).of('database'))).to.equal('warn ok');
    expect(statSync(file).mode & 0o777, 'doctor changes nothing').to.equal(0o644);
    const { stderr } = await gatehouse.run(['keys', 'list']);
    expect(stderr).to.include('could read the database file');
    expect(statSync(file).mode & 0o007).to.equal(0);
  });

  it('changes nothing, not even an empty folder', async () => {
    const { code, of } = await findings();
    expect(code).to.equal(1);
    expect(of('database')[0]).to.include({ status: 'fail', advice: 'Start the server or run: gatehouse migrate up' });
    expect(existsSync(join(gatehouse.folder, 'data'))).to.equal(false);
    await gatehouse.json(['migrate', 'up']);
    expect(statusOf((await findings()).of('secrets'))).to.equal('warn');
    expect(existsSync(join(gatehouse.folder, 'data', 'secrets.json'))).to.equal(false);
  });

  it('reports every problem of the configuration', async () => {
    const { code, of } = await findings({ NODE_ENV: 'production', PORT: 'x' });
    expect(code).to.equal(1);
    expect(of('configuration').length).to.be.at.least(4);
    expect(new Set(statusOf(of('configuration')).split(' '))).to.deep.equal(new Set(['fail']));
  });

  it('tells a wrong or missing secret, and a secrets file that others can read', async () => {
    await gatehouse.json(['keys', 'list']);
    chmodSync(join(gatehouse.folder, 'data', 'secrets.json'), 0o644);
    expect((await findings()).of('secrets')[0]).to.include({ status: 'warn' });
    const wrong = await findings({ GATEHOUSE_SECRETS: 'w'.repeat(32) });
    expect(wrong.code).to.equal(1);
    expect(wrong.of('secrets')[0]).to.include({ status: 'fail' });
    const missing = await findings({ GATEHOUSE_DATA_DIR: join(gatehouse.folder, 'elsewhere') });
    expect(missing.of('secrets')[0]?.detail).to.include('restore');
    expect(existsSync(join(gatehouse.folder, 'elsewhere'))).to.equal(false);
  });

  it('says nothing about an issuer that nobody answers for, and checks one that answers', async () => {
    await gatehouse.json(['migrate', 'up']);
    const server: Server = createServer((_req, res) => res.end(JSON.stringify({ issuer: 'http://somebody.else' })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const ISSUER = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect((await findings({ ISSUER })).of('issuer')[0]?.detail).to.include('calls itself http://somebody.else');
    } finally {
      server.close().closeAllConnections();
    }
    expect((await findings({ ISSUER })).of('issuer')).to.deep.equal([]);
  });

  it('tells TLS files that are missing or are none', async () => {
    await gatehouse.json(['migrate', 'up']);
    const tls = { TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' };
    expect((await findings(tls)).of('TLS')[0]?.detail).to.equal('cert.pem cannot be read (ENOENT)');
    for (const file of Object.values(tls)) writeFileSync(join(gatehouse.folder, file), 'not PEM');
    const { code, of } = await findings(tls);
    expect(code).to.equal(1);
    expect(of('TLS')[0]?.detail).to.include('do not go together');
  });

  it('tells when the certificate ends, is not for the issuer, or does not go with the key', async () => {
    await gatehouse.json(['migrate', 'up']);
    const make = (name: string, days: number): void => {
      const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', String(days)];
      const names = ['-subj', '/CN=auth.invalid', '-addext', 'subjectAltName=DNS:auth.invalid,IP:203.0.113.1'];
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      execFileSync('openssl', ['req', '-x509', ...key, ...files, ...names], { cwd: gatehouse.folder, stdio: 'ignore' });
    };
    make('good', 60);
    make('ending', 5);
    const tls = async (issuer: string, cert: string, key = cert): Promise<string> => {
      const env = { ISSUER: issuer, TLS_CERT: `${cert}.pem`, TLS_KEY: `${key}.key` };
      return (await findings(env))
        .of('TLS')
        .map(({ status, detail }) => `${status}: ${detail}`)
        .join('\n');
    };
    const [good, address, ending, other, mixed] = await Promise.all([
      tls('https://auth.invalid', 'good'),
      tls('https://203.0.113.1', 'good'),
      tls('https://auth.invalid', 'ending'),
      tls('https://other.invalid', 'good'),
      tls('https://auth.invalid', 'good', 'ending'),
    ]);
    expect(good).to.match(/^ok: the certificate is valid until/);
    expect(address).to.match(/^ok: /);
    expect(ending).to.match(/^warn: the certificate is valid until .* only$/);
    expect(other).to.match(/^fail: the certificate \(.*\) is not for other\.invalid$/);
    expect(mixed).to.match(/^fail: certificate and key do not go together/);
  });

  it('does not repeat the password of a database that refuses it', async () => {
    const { stdout, code } = await gatehouse.run(['doctor'], {
      env: {
        DATABASE_URL: 'mysql://gatehouse:hunter2@127.0.0.1:1/gatehouse',
        REDIS_URL: 'redis://:hunter2@127.0.0.1:1',
      },
    });
    expect(code).to.equal(1);
    expect(stdout)
      .to.match(/fail {2}database .*\(ECONNREFUSED\)/)
      .and.to.match(/fail {2}redis /);
    expect(stdout).not.to.include('hunter2');
  });

  for (const name of ['postgres', 'mariadb'] as const) {
    it(`tells the version of ${name}, and that its clock agrees`, async function () {
      const server = await requirePart(name, this);
      const env = { DATABASE_URL: await server.createDatabase() };
      await gatehouse.json(['migrate', 'up'], { env });
      const { of } = await findings(env);
      expect(statusOf(of('database'))).to.equal('ok');
      expect(of('database')[0]?.detail).to.match(/(PostgreSQL|MariaDB).*\d+\.\d+/);
    });
  }

  it('tells whether Redis may evict', async function () {
    const server = await requirePart('redis', this);
    await gatehouse.json(['migrate', 'up']);
    expect(statusOf((await findings({ REDIS_URL: server.url })).of('redis'))).to.equal('ok ok');
  });
});
