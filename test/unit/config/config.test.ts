import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { parseConfig } from '../../../src/config/config.ts';
import type { Env } from '../../../src/config/env.ts';
import { parseEnvironment } from '../../../src/config/parse-environment.ts';
import { printableConfig } from '../../../src/config/printable.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { configWarnings } from '../../../src/config/warnings.ts';
import { weakness } from '../../../src/config/weak-secret.ts';

const SAFE = {
  NODE_ENV: 'production',
  ISSUER: 'https://auth.example.com',
  DATABASE_URL: 'postgres://gatehouse:hunter2@db/gatehouse?sslmode=verify-full',
  GATEHOUSE_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
};

/** As `openssl rand -base64 32` makes them. */
const DRAWN = 'tEuZNQZmAlRxpCzcaVFdqzM1XKyRPdGIO9f2sGIcRJI=';

function problemsOf(env: Env, parse: (env: Env) => unknown = parseConfig): readonly string[] {
  try {
    parse(env);
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

describe('the configuration', () => {
  it('needs nothing in development', () => {
    const config = parseConfig({});
    expect(config).to.include({ production: false, issuer: 'http://localhost:3000', host: 'localhost', demo: true });
    expect(config).to.include({ databaseUrl: 'sqlite:data/gatehouse.sqlite', redisUrl: null });
    expect(config.metrics.path).to.equal('/metrics');
    expect(parseConfig({ PORT: '8080' }).issuer).to.equal('http://localhost:8080');
  });

  it('takes an empty value for one that is not set', () => {
    expect(parseConfig({ PORT: '', REDIS_URL: '', GATEHOUSE_DEMO: '' })).to.deep.equal(parseConfig({}));
  });

  it('names every problem at once: values, contradictions, unknown names and what production forbids', () => {
    const problems = problemsOf({
      NODE_ENV: 'production',
      PORT: '70000',
      LOG_LEVEL: 'loud',
      GATEHOUSE_DRAIN: 'soon',
      GATEHOUSE_DRIAN: '5s',
      REDIS_URL: 'memcached://x',
      TLS_KEY: 'key.pem',
      GATEHOUSE_REFRESH_IDLE_LIFETIME: '100d',
      GATEHOUSE_TRUSTED_PROXIES: '10.0.0.0/8,everyone',
      GATEHOUSE_DEMO: '1',
    });
    const named = problems.map((problem) => problem.split(/:| and /)[0]);
    expect(named).to.have.members([
      'GATEHOUSE_DRIAN',
      'PORT',
      'LOG_LEVEL',
      'GATEHOUSE_DRAIN',
      'REDIS_URL',
      'TLS_CERT',
      'GATEHOUSE_REFRESH_IDLE_LIFETIME',
      'GATEHOUSE_TRUSTED_PROXIES',
      'ISSUER',
      'ISSUER',
      'GATEHOUSE_DEMO',
    ]);
  });

  it('does not complain twice about a value it could not read', () => {
    expect(problemsOf({ ...SAFE, ISSUER: 'auth.example.com' })).to.deep.equal([
      'ISSUER: use an absolute URL, http or https',
    ]);
    expect(problemsOf({ ...SAFE, GATEHOUSE_DEMO: 'yes' })).to.deep.equal([
      'GATEHOUSE_DEMO: use one of 0, 1, true, false',
    ]);
  });

  it('says what to write instead', () => {
    const problems = (env: Env) => problemsOf(env).join('\n');
    expect(problems({ PORT: 'http' })).to.equal('PORT: use a whole number');
    expect(problems({ WEB_CONCURRENCY: '1.5' })).to.equal('WEB_CONCURRENCY: use a whole number');
    expect(problems({ WEB_CONCURRENCY: '0' })).to.equal('WEB_CONCURRENCY: use at least 1');
    expect(problems({ PORT: '65536' })).to.equal('PORT: use at most 65535');
    expect(problems({ NODE_ENV: 'prod' })).to.equal('NODE_ENV: use one of development, production, test');
    expect(problems({ GATEHOUSE_CODE_LIFETIME: '1d' })).to.match(/duration such as 60s, from 10s to 600s/);
    expect(problems({ GATEHOUSE_PATH_TOKEN: 'token/' })).to.match(/a path such as \/oauth2\/token/);
    expect(problems({ GATEHOUSE_PATH_TOKEN: '/oauth2/jwks' })).to.match(/two endpoints have the same path/);
  });

  it('takes databases and caches of the kinds it can use, and no SQLite without a file', () => {
    const urls = [
      'sqlite:a.sqlite',
      'sqlite:///var/a',
      'postgres://a/b',
      'postgresql://a/b',
      'mysql://a/b',
      'mariadb://a/b',
    ];
    for (const DATABASE_URL of urls) expect(problemsOf({ DATABASE_URL }), DATABASE_URL).to.deep.equal([]);
    for (const DATABASE_URL of ['sqlite:', 'sqlite://', 'oracle://a/b', '/var/a.sqlite']) {
      expect(problemsOf({ DATABASE_URL })[0], DATABASE_URL).to.match(/^DATABASE_URL: /);
    }
  });

  it('refuses lifetimes that cannot fit each other, and says what fits', () => {
    const fits = (env: Env, production = true): readonly string[] => problemsOf(production ? { ...SAFE, ...env } : env);
    expect(fits({ GATEHOUSE_KEY_RETIRED: '59m' })[0]).to.match(/^GATEHOUSE_KEY_RETIRED: use at least 3600s/);
    expect(fits({ GATEHOUSE_KEY_RETIRED: '60m' })).to.deep.equal([]);
    expect(fits({ GATEHOUSE_KEY_RETIRED: '12h', GATEHOUSE_ID_TOKEN_LIFETIME: '1d' })[0]).to.match(/at least 86400s/);
    expect(fits({ GATEHOUSE_KEY_RETIRED: '1s' }), 'after a leak').to.deep.equal([]);
    expect(fits({ GATEHOUSE_KEY_PUBLISHED: '299s' })[0]).to.match(/^GATEHOUSE_KEY_PUBLISHED: use at least 300s/);
    expect(fits({ GATEHOUSE_KEY_ACTIVE: '10m' })[0]).to.match(/^GATEHOUSE_KEY_ACTIVE: use at least 3600s/);
    expect(fits({ GATEHOUSE_REFRESH_IDLE_LIFETIME: '10m' })).to.have.length(2);
    expect(fits({ GATEHOUSE_REFRESH_GRACE: '2m', GATEHOUSE_REFRESH_IDLE_LIFETIME: '1m' }, false)).to.have.length(1);
    expect(fits({ GATEHOUSE_SESSION_IDLE_LIFETIME: '31d' }, false)).to.have.length(1);
    expect(fits({ GATEHOUSE_KEY_RETIRED: '5s', GATEHOUSE_KEY_PUBLISHED: '1s' }, false)).to.deep.equal([]);
    const all = { GATEHOUSE_KEY_RETIRED: '2s', GATEHOUSE_KEY_PUBLISHED: '2s', GATEHOUSE_SESSION_IDLE_LIFETIME: '31d' };
    expect(fits(all), 'all at once').to.have.length(3);
  });

  it('refuses a GATEHOUSE_ name it does not know, with the one that was probably meant', () => {
    const problem = (name: string) => problemsOf({ [name]: 'x' })[0];
    expect(problem('GATEHOUSE_TRUSTED_PROXY')).to.match(/did you mean GATEHOUSE_TRUSTED_PROXIES\?/);
    expect(problem('GATEHOUSE_SECRET')).to.match(/did you mean GATEHOUSE_SECRETS\?/);
    expect(problem('GATEHOUSE_ISSUER')).to.match(/did you mean ISSUER\?/);
    expect(problem('GATEHOUSE_PORT')).to.match(/did you mean PORT\?/);
    // Names of others, and of the test run, are none of its business.
    expect(problemsOf({ DATABASE_URI: 'x', GATEHOUSE_TEST_RESULT: 'x' })).to.deep.equal([]);
  });

  it('reads durations in every unit', () => {
    const seconds = (text: string) => parseConfig({ GATEHOUSE_REFRESH_IDLE_LIFETIME: text }).lifetimes.refreshIdle;
    expect(['90', '90s', '15m', '24h', '14d'].map(seconds)).to.deep.equal([90, 90, 900, 86_400, 1_209_600]);
    for (const text of ['1w', '-1s', '1.5h', '1 h', 'd', '1h30m']) {
      expect(problemsOf({ GATEHOUSE_REFRESH_IDLE_LIFETIME: text }), text).to.have.length(1);
    }
  });

  it('reads lists with or without blanks', () => {
    expect(parseConfig(SAFE).trustedProxies).to.deep.equal(['10.0.0.0/8', '::1']);
  });

  it('drops the slash at the end of the issuer and keeps its path', () => {
    expect(parseConfig({ ISSUER: 'https://example.com/' }).issuer).to.equal('https://example.com');
    expect(parseConfig({ ISSUER: 'https://example.com/auth/' }).issuer).to.equal('https://example.com/auth');
  });

  it('cannot be changed, at any depth', () => {
    const config = parseConfig(SAFE);
    const objects = [config, config.paths, config.lifetimes, config.keys, config.metrics, config.trustedProxies];
    for (const object of objects) expect(Object.isFrozen(object)).to.equal(true);
  });

  it('holds no secret, and no password of a store when it is printed', () => {
    const secret = 'a secret of at least thirty-two characters';
    const config = parseConfig({ ...SAFE, GATEHOUSE_SECRETS: secret, REDIS_URL: 'rediss://:hunter2@cache:6379/0' });
    expect(JSON.stringify(config)).not.to.include(secret);
    expect(printableConfig(config)).to.include({
      databaseUrl: 'postgres://gatehouse:***@db/gatehouse?sslmode=verify-full',
      redisUrl: 'rediss://:***@cache:6379/0',
    });
  });
});

describe('production', () => {
  it('starts on a safe configuration', () => {
    expect(parseConfig(SAFE)).to.include({ production: true, host: '::', demo: false });
    expect(parseConfig(SAFE).metrics.path).to.equal(null);
    const { GATEHOUSE_TRUSTED_PROXIES: _, ...direct } = SAFE;
    expect(problemsOf({ ...direct, TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' })).to.deep.equal([]);
  });

  for (const [what, change, problem] of [
    ['no issuer', { ISSUER: undefined }, /^ISSUER: must be set/],
    ['an http issuer', { ISSUER: 'http://auth.example.com' }, /^ISSUER: must be https/],
    ['an issuer with a query', { ISSUER: 'https://auth.example.com/?a=b' }, /^ISSUER: must have no query/],
    ['an issuer with user information', { ISSUER: 'https://me@auth.example.com' }, /^ISSUER: must have no/],
    ['plain HTTP without a proxy', { GATEHOUSE_TRUSTED_PROXIES: undefined }, /^TLS: /],
    ['half a TLS pair', { TLS_CERT: 'cert.pem' }, /^TLS_CERT and TLS_KEY/],
    ['a database in memory', { DATABASE_URL: 'sqlite::memory:' }, /^DATABASE_URL: an in-memory/],
    ['demonstration data', { GATEHOUSE_DEMO: 'true' }, /^GATEHOUSE_DEMO: /],
  ] as const) {
    it(`refuses ${what}`, () => {
      const problems = problemsOf({ ...SAFE, ...change });
      expect(
        problems.some((each) => problem.test(each)),
        problems.join('\n'),
      ).to.equal(true);
    });
  }

  it('is told about missing secrets together with everything else', () => {
    const problems = problemsOf({ ...SAFE, ISSUER: undefined }, parseEnvironment);
    expect(problems.join('\n')).to.match(/ISSUER: must be set[\s\S]*GATEHOUSE_SECRETS: must be set/);
    expect(problemsOf(SAFE, parseEnvironment)).to.have.length(1);
    expect(problemsOf({ ...SAFE, GATEHOUSE_SECRETS: DRAWN }, parseEnvironment)).to.deep.equal([]);
  });
});

describe('the addresses of the stores', () => {
  it('are checked together, with everything else', () => {
    const problems = problemsOf({ DATABASE_URL: 'postgres://db/x?a=1&b=2', REDIS_URL: 'redis://cache?c=3', PORT: 'x' });
    expect(problems).to.have.length(4);
    for (const name of ['a', 'b', 'c']) expect(problems.join('\n')).to.include(`URL: ${name} is not known`);
  });

  it('must ask for TLS themselves where the variable of libpq does', () => {
    const env = { PGSSLMODE: 'verify-full', DATABASE_URL: 'postgres://db/x' };
    expect(problemsOf(env)).to.deep.equal([
      'DATABASE_URL: PGSSLMODE asks for TLS, which is asked for here: add sslmode=… to the address',
    ]);
    expect(problemsOf({ ...env, DATABASE_URL: 'postgres://db/x?sslmode=require' })).to.deep.equal([]);
    expect(problemsOf({ ...env, PGSSLMODE: 'disable' })).to.deep.equal([]);
    expect(problemsOf({ PGSSLMODE: 'require', DATABASE_URL: 'mysql://db/x' })).to.deep.equal([]);
  });

  it('name files that are there', () => {
    const env = {
      DATABASE_URL: 'postgres://db/x?sslmode=verify-full&sslrootcert=/does/not/exist.pem',
      REDIS_URL: 'rediss://cache?ssl_ca_certs=/does/not/exist.pem',
    };
    const problems = problemsOf(env, parseEnvironment);
    expect(problems).to.have.length(2);
    expect(problems[0]).to.match(
      /^DATABASE_URL: the certificate of the authority, \/does.* cannot be read \(ENOENT\)$/,
    );
    expect(problems[1]).to.match(/^REDIS_URL: the certificate/);
  });
});

describe('the trusted proxies', () => {
  const problem = (ranges: string, env: Env = {}): string =>
    problemsOf({ ...env, GATEHOUSE_TRUSTED_PROXIES: ranges }).join('\n');

  it('may be named one by one, by private ranges as a whole, and by what proxy networks publish', () => {
    const privately =
      '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,127.0.0.0/8,fc00::/7,fe80::/10,::1';
    const published =
      '104.16.0.0/13,104.24.0.0/14,172.64.0.0/13,162.158.0.0/15,198.41.128.0/17,2606:4700::/32,2a06:98c0::/29';
    for (const ranges of [
      '',
      '127.0.0.1,::1',
      '203.0.113.7',
      '::ffff:10.0.0.0/104',
      '18.0.0.0/8',
      privately,
      published,
    ])
      for (const env of [{}, SAFE]) if (ranges || env !== SAFE) expect(problem(ranges, env), ranges).to.equal('');
    expect(problem(`${privately},${published}`)).to.equal('');
  });

  for (const ranges of [
    ...[
      '0.0.0.0/0',
      '::/0',
      '0.0.0.0/1,128.0.0.0/1',
      '::ffff:0:0/96',
      '::/1,8000::/1',
      '::ffff:0:0/97,::ffff:128.0.0.0/97',
    ],
    ...[
      '::/64',
      '2000::/3',
      '2000::/20,2000:1000::/21',
      '64:ff9b::/96',
      '0.0.0.0/1,64:ff9b::/96',
      '18.0.0.0/8,19.0.0.1',
    ],
    ...[
      '8.0.0.0/7',
      '18.0.0.0/9,18.128.0.0/9,::ffff:20.0.0.0/104',
      '10.0.0.0/4',
      '10.0.0.0/8,64.0.0.0/2',
      '::ffff:0:0/90',
    ],
    Array.from({ length: 256 }, (_, first) => `${first}.0.0.0/9`).join(','),
  ]) {
    it(`may not hold the Internet: ${ranges.slice(0, 60)}`, () => {
      for (const env of [{}, SAFE])
        expect(problem(ranges, env)).to.match(/^GATEHOUSE_TRUSTED_PROXIES: together .* name the proxies/);
    });
  }

  it('are read strictly: nothing loose means everything', () => {
    for (const range of [
      '10.0.0.1/',
      '10.0.0.0/08',
      '10.1/8',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '010.0.0.0/8',
      '0x0a.0.0.0/8',
      'fe80::1%eth0',
      '::1/',
      '10.0.0.0/8 8',
    ])
      expect(problem(range), range).to.equal(`GATEHOUSE_TRUSTED_PROXIES: ${range} is not an address or a CIDR range`);
  });
});

describe('what passes through a network in the clear', () => {
  const PLAIN = {
    DATABASE_URL: 'mysql://u:p@db.internal/x',
    REDIS_URL: 'redis://cache.internal',
    GATEHOUSE_API_ORIGINS: 'http://shop.example.com',
  };
  const named = (problems: readonly string[]) => problems.map((problem) => problem.split(':')[0]);

  it('is refused in production, each with what mends it', () => {
    const problems = problemsOf({ ...SAFE, ...PLAIN });
    expect(named(problems)).to.deep.equal(['DATABASE_URL', 'REDIS_URL', 'GATEHOUSE_API_ORIGINS']);
    expect(problems[0]).to.match(/in the clear; add sslmode=verify-full .*GATEHOUSE_ALLOW_PLAIN=stores$/);
    expect(problems[1]).to.match(/write rediss:\/\/.*GATEHOUSE_ALLOW_PLAIN=stores$/);
    expect(problems[2]).to.match(/shop\.example\.com .*serve it by https.*GATEHOUSE_ALLOW_PLAIN=origins$/);
  });

  it('is allowed where somebody says that the network is trusted', () => {
    expect(problemsOf({ ...SAFE, ...PLAIN, GATEHOUSE_ALLOW_PLAIN: 'stores,origins' })).to.deep.equal([]);
    expect(named(problemsOf({ ...SAFE, ...PLAIN, GATEHOUSE_ALLOW_PLAIN: 'stores' }))).to.deep.equal([
      'GATEHOUSE_API_ORIGINS',
    ]);
    expect(problemsOf({ GATEHOUSE_ALLOW_PLAIN: 'everything' })).to.deep.equal([
      'GATEHOUSE_ALLOW_PLAIN: use stores, origins or both',
    ]);
  });

  it('is nothing on this machine', () => {
    for (const change of [
      {
        DATABASE_URL: 'postgres://u@127.0.0.1/x',
        REDIS_URL: 'redis://localhost',
        GATEHOUSE_API_ORIGINS: 'http://localhost:5173',
      },
      { DATABASE_URL: 'postgres://u@/x?host=/run/postgresql', REDIS_URL: 'unix:///run/redis.sock' },
      { DATABASE_URL: 'mysql://u@[::1]/x', REDIS_URL: 'redis://[::1]' },
      { DATABASE_URL: 'sqlite:/var/lib/x.sqlite', GATEHOUSE_API_ORIGINS: 'https://shop.example.com' },
    ])
      expect(problemsOf({ ...SAFE, ...change }), JSON.stringify(change)).to.deep.equal([]);
  });

  it('is a warning in development, and so is TLS that verifies nobody', () => {
    const warnings = (env: Env) => configWarnings(env, parseConfig(env));
    expect(warnings({})).to.deep.equal([]);
    expect(named(warnings(PLAIN))).to.deep.equal(['DATABASE_URL', 'REDIS_URL', 'GATEHOUSE_API_ORIGINS']);
    expect(warnings({ ...SAFE, DATABASE_URL: 'postgres://db/x?sslmode=require' })[0]).to.match(
      /^DATABASE_URL: encrypted, but nobody verifies/,
    );
    expect(warnings({ ISSUER: 'https://auth.example.com' })[0]).to.match(/^NODE_ENV: .*set NODE_ENV=production/);
    expect(warnings({ GATEHOUSE_SECRETS: 'x'.repeat(32) })[0]).to.match(
      /^GATEHOUSE_SECRETS: the first secret is of a few characters only/,
    );
    expect(warnings(SAFE)).to.deep.equal([]);
  });
});

describe('a secret', () => {
  const problems = (GATEHOUSE_SECRETS: string) => problemsOf({ ...SAFE, GATEHOUSE_SECRETS }, parseEnvironment);

  for (const secret of [
    ...[
      'a'.repeat(32),
      'ab'.repeat(20),
      '0'.repeat(64),
      '0123456789abcdef0123456789abcdef',
      'abcdefghijklmnopqrstuvwxyzabcdef',
    ],
    ...[
      'passwordpasswordpasswordpassword',
      'qwertyuiopasdfghjklzxcvbnm123456',
      'change-me-change-me-change-me-change-me',
    ],
    ...[
      'thisisaverylongsecretwithoutanyspaces',
      'please replace this secret before production',
      'supersecretsupersecretsupersecret1234',
    ],
    ...['12345678901234567890123456789012', 'deadbeefdeadbeefdeadbeefdeadbeef', 'my-gatehouse-production-secret-value'],
  ]) {
    it(`is none when it can be guessed: ${secret.slice(0, 40)}`, () => {
      const found = problems(secret);
      expect(found).to.have.length(1);
      expect(found[0]).to.match(
        /^GATEHOUSE_SECRETS: the first secret is .* put one in front that was drawn: openssl rand -base64 32$/,
      );
      expect(found[0]).not.to.include(secret.slice(0, 12));
      // It still opens what it sealed: the first one counts.
      expect(problems(`${DRAWN},${secret}`)).to.deep.equal([]);
    });
  }

  it('is one when it was drawn, in whatever alphabet, or is a sentence of ten words', () => {
    for (let i = 0; i < 500; i += 1) {
      const bytes = createHash('sha256').update(String(i)).digest();
      const letters = Array.from(bytes, (byte) => 'abcdefghijklmnopqrstuvwxyz'[byte % 26]).join('');
      for (const secret of [
        bytes.toString('base64'),
        bytes.toString('base64url'),
        bytes.toString('hex'),
        bytes.toString('hex').slice(0, 32),
        letters,
      ])
        expect(weakness(secret), secret).to.equal(null);
    }
    expect(weakness('unfitted reabsorb cozily tarot spew gossip overlay plaster mumbling fox dock')).to.equal(null);
  });
});
