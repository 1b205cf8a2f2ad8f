import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import createKnex from 'knex';
import { ConfigError } from '../../src/config/problems.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { knexConfig } from '../../src/storage/sql/knex-config.ts';
import { type Authority, makeAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { requirePart } from '../support/requirements.ts';
import { startMariadb } from '../support/servers/mariadb.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { type RedisServer, startRedis } from '../support/servers/redis.ts';
import { ownCopy, type ServerTls } from '../support/servers/server-process.ts';
import type { SqlServer } from '../support/servers/sql-server.ts';
import { silentLog } from './open-stores.ts';

/** Certificates for `localhost` and 127.0.0.1; the servers are at 127.0.0.2 too, which their certificate does not name. */
interface Files {
  folder: string;
  server: ServerTls;
  client: { certFile: string; keyFile: string };
  otherCa: string;
}

function makeFiles(): Files {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
  const authority: Authority = makeAuthority(folder, 'authority');
  const server = { ...authority.issue('server', ['DNS:localhost', 'IP:127.0.0.1']), caFile: authority.caFile };
  return {
    folder,
    server,
    client: authority.issue('client', ['DNS:client']),
    otherCa: makeAuthority(folder, 'other').caFile,
  };
}

const SQL = [
  [
    'PostgreSQL',
    'postgres',
    startPostgres,
    "select coalesce(cipher, '') as cipher, coalesce(client_dn, '') as client from pg_stat_ssl where pid = pg_backend_pid()",
  ],
  [
    'MariaDB',
    'mariadb',
    startMariadb,
    "select variable_value as cipher, '' as client from information_schema.session_status where variable_name = 'SSL_CIPHER'",
  ],
] as const;

for (const [name, part, start, question] of SQL) {
  describe(`TLS with ${name}`, () => {
    let files: Files;
    let encrypting: SqlServer;
    let plain: SqlServer;
    before(async function () {
      plain = await requirePart(part, this);
      files = makeFiles();
      encrypting = await start({ tls: files.server });
    });
    after(async () => {
      await encrypting?.stop();
      if (files) rmSync(files.folder, { recursive: true, force: true });
    });

    const at = (query: string, host = '127.0.0.1'): string =>
      `${encrypting.url.replace('127.0.0.1', host)}?${query.replace('CA', files.server.caFile)}`;

    /** As the server sees the connection. */
    async function seen(databaseUrl: string): Promise<{ cipher: string; client: string }> {
      const knex = createKnex({ ...knexConfig({ databaseUrl, poolSize: 1 }), asyncStackTraces: false });
      try {
        const result = await knex.raw(question);
        return (result.rows ?? result[0])[0];
      } finally {
        await knex.destroy();
      }
    }

    async function refusal(databaseUrl: string): Promise<string> {
      const stores = await openStorage({ databaseUrl, log: silentLog(), clock: systemClock });
      try {
        await stores.ping();
        return 'connected';
      } catch (error) {
        return (error as { internal?: string }).internal ?? String(error);
      } finally {
        await stores[Symbol.asyncDispose]();
      }
    }

    it('is there as soon as the address asks for it, by the word of the server itself', async () => {
      expect((await seen(encrypting.url)).cipher).to.equal('');
      for (const query of [
        ...[
          'sslmode=require',
          'ssl-mode=REQUIRED',
          'ssl_mode=required',
          'sslaccept=accept_invalid_certs',
          'tls=skip-verify',
        ],
        ...[
          'useSSL=true&verifyServerCertificate=false',
          'sslmode=verify-ca&sslrootcert=CA',
          'ssl=true&ssl-ca=CA',
          'sslmode=require&sslrootcert=CA',
        ],
      ])
        expect((await seen(at(query))).cipher, query).not.to.equal('');
    });

    it('verifies the certificate for the name and for the address that is connected to', async () => {
      for (const host of ['127.0.0.1', 'localhost']) {
        expect((await seen(at('sslmode=verify-full&sslrootcert=CA', host))).cipher, host).not.to.equal('');
        expect((await seen(at('ssl-mode=VERIFY_IDENTITY&ssl-ca=CA', host))).cipher, host).not.to.equal('');
      }
      expect(await refusal(at('sslmode=verify-full&sslrootcert=CA', '127.0.0.2'))).to.match(/for another name/);
      expect((await seen(at('sslmode=verify-ca&sslrootcert=CA', '127.0.0.2'))).cipher).not.to.equal('');
    });

    it('is refused in words when nobody known has signed the certificate', async () => {
      for (const query of [
        'ssl=true',
        'tls=true',
        'sslmode=verify-ca',
        'sslmode=verify-full',
        `sslmode=require&sslrootcert=${files.otherCa}`,
      ])
        expect(await refusal(at(query)), query).to.match(/^database: the certificate of the server is of no authority/);
    });

    it('is refused in words by a server that has none, never left out', async () => {
      for (const query of ['sslmode=require', 'ssl-mode=REQUIRED', 'ssl=true', 'useSSL=true', 'tls=skip-verify'])
        expect(await refusal(`${plain.url}?${query}`), query).to.match(/^database: the server offers no TLS/);
    });

    it('shows our own certificate where one is named', async () => {
      const { certFile, keyFile } = files.client;
      const { cipher, client } = await seen(at(`ssl=true&sslrootcert=CA&sslcert=${certFile}&sslkey=${keyFile}`));
      expect(cipher).not.to.equal('');
      if (part === 'postgres') expect(client).to.equal('/CN=client');
    });

    it('keeps what is stored in clear from nobody: a file that cannot be used is told before a connection is made', async () => {
      const nonsense = join(files.folder, 'nonsense.pem');
      writeFileSync(nonsense, 'no PEM');
      const { certFile } = files.client;
      for (const [query, words] of [
        [
          'sslrootcert=/does/not/exist.pem',
          /^DATABASE_URL: the certificate of the authority, .* cannot be read \(ENOENT\)/,
        ],
        [`sslrootcert=${nonsense}`, /nonsense.pem, holds no certificate in PEM/],
        [`sslcert=${certFile}&sslkey=${nonsense}`, /sslcert and sslkey do not go together/],
        [`sslcert=${certFile}&sslkey=${files.server.keyFile}`, /sslcert and sslkey do not go together/],
      ] as const) {
        const failure = await openStorage({ databaseUrl: at(query), log: silentLog(), clock: systemClock }).then(
          () => null,
          (error: unknown) => error,
        );
        expect(failure).to.be.instanceOf(ConfigError);
        expect((failure as ConfigError).problems[0]).to.match(words);
      }
    });
  });
}

describe('TLS with Redis', () => {
  let files: Files;
  let server: RedisServer;
  let plain: RedisServer;
  let tlsPort: number;
  let sql: string;
  before(async function () {
    plain = await requirePart('redis', this);
    files = makeFiles();
    tlsPort = await freePort();
    const own = (folder: Parameters<typeof ownCopy>[0]) => [
      ...['--tls-port', String(tlsPort), '--bind', '127.0.0.1 127.0.0.2', '--tls-auth-clients', 'optional'],
      ...[
        '--tls-cert-file',
        ownCopy(folder, files.server.certFile),
        '--tls-key-file',
        ownCopy(folder, files.server.keyFile),
      ],
      ...['--tls-ca-cert-file', ownCopy(folder, files.server.caFile)],
    ];
    server = await startRedis({ argsIn: own });
    sql = `sqlite:${join(files.folder, 'x.sqlite')}`;
    // A ping writes.
    await using stores = await openStorage({ databaseUrl: sql, log: silentLog(), clock: systemClock });
    await stores.migrations.up();
  });
  after(async () => {
    await server?.stop();
    if (files) rmSync(files.folder, { recursive: true, force: true });
  });

  async function outcome(redisUrl: string): Promise<string> {
    const stores = await openStorage({ databaseUrl: sql, redisUrl, log: silentLog(), clock: systemClock });
    try {
      await stores.ping();
      return 'connected';
    } catch (error) {
      return (error as { internal?: string }).internal ?? String(error);
    } finally {
      await stores[Symbol.asyncDispose]();
    }
  }

  // The port speaks nothing but TLS, so that who is connected is encrypted.
  it('is there by the scheme or by a word, verified for the name or address that is connected to', async () => {
    const ca = `ssl_ca_certs=${files.server.caFile}`;
    const { certFile, keyFile } = files.client;
    for (const url of [
      ...[
        `rediss://127.0.0.1:${tlsPort}?${ca}`,
        `rediss://localhost:${tlsPort}?${ca}`,
        `REDISS://127.0.0.1:${tlsPort}?${ca}`,
      ],
      ...[`redis://127.0.0.1:${tlsPort}?tls=true&${ca}`, `rediss://127.0.0.1:${tlsPort}?ssl_cert_reqs=none`],
      ...[`rediss://127.0.0.2:${tlsPort}?ssl_check_hostname=false&${ca}`],
      ...[`rediss://127.0.0.1:${tlsPort}?${ca}&ssl_certfile=${certFile}&ssl_keyfile=${keyFile}`],
    ])
      expect(await outcome(url), url).to.equal('connected');
  });

  it('is refused in words when it cannot be had as asked for', async () => {
    expect(await outcome(`rediss://127.0.0.1:${tlsPort}`)).to.match(
      /^redis: the certificate of the server is of no authority/,
    );
    expect(await outcome(`rediss://127.0.0.1:${tlsPort}?sslrootcert=${files.otherCa}`)).to.match(/of no authority/);
    expect(await outcome(`rediss://127.0.0.2:${tlsPort}?sslrootcert=${files.server.caFile}`)).to.match(
      /for another name/,
    );
    // A Redis without TLS waits for the end of what it takes for a command.
    expect(await outcome(plain.url.replace('redis:', 'rediss:'))).to.match(/^redis/);
    expect(await outcome(`redis://127.0.0.1:${tlsPort}`)).to.match(/^redis/);
  });
});
