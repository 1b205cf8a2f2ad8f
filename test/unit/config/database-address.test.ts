import { expect } from 'chai';
import fc from 'fast-check';
import { readDatabaseAddress, type ServerAddress } from '../../../src/config/database-address.ts';
import { ConfigError } from '../../../src/config/problems.ts';

function read(text: string): ServerAddress {
  const address = readDatabaseAddress(text);
  if (address.dialect === 'sqlite') throw new Error(`${text} is SQLite`);
  return address;
}

function problemsOf(text: string): string[] {
  try {
    readDatabaseAddress(text);
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return [...(error as ConfigError).problems];
  }
}

const PLACES = ['postgres://u:p@db.example/gatehouse', 'mysql://u:p@db.example/gatehouse'];

describe('the address of a database', () => {
  it('is read in all its parts', () => {
    expect(read('postgres://me:pw@db.example:6432/gatehouse')).to.deep.include({
      ...{ dialect: 'postgres', host: 'db.example', port: 6432, user: 'me', password: 'pw', database: 'gatehouse' },
      tls: null,
    });
    expect(read('PostgreSQL://db.example')).to.deep.include({ port: null, user: null, password: null, database: null });
    expect(read('mariadb://me@db_1/gatehouse')).to.include({ dialect: 'mariadb', host: 'db_1' });
    expect(read('mysql://[2001:DB8::1]:3307/x')).to.include({ host: '2001:db8::1', port: 3307 });
    expect(read('postgres://127.0.0.1:/x')).to.include({ host: '127.0.0.1', port: null });
    expect(read(' postgres://db/x\n')).to.include({ host: 'db', database: 'x' });
    for (const text of ['sqlite:data/x.sqlite', 'sqlite://data/x.sqlite', 'SQLITE:data/x.sqlite'])
      expect(readDatabaseAddress(text)).to.deep.equal({ dialect: 'sqlite', file: 'data/x.sqlite' });
    expect(readDatabaseAddress('sqlite:///var/x')).to.deep.equal({ dialect: 'sqlite', file: '/var/x' });
    expect(readDatabaseAddress('sqlite::memory:')).to.deep.equal({ dialect: 'sqlite', file: ':memory:' });
  });

  it('may be a socket', () => {
    expect(read('postgres://u@/x?host=/run/postgresql&port=5433')).to.include({ host: '/run/postgresql', port: 5433 });
    expect(read('postgres://u@%2Frun%2Fpostgresql:5433/x')).to.include({ host: '/run/postgresql', port: 5433 });
    for (const word of ['socket', 'socketPath', 'unix_socket'])
      expect(read(`mysql://u@localhost/x?${word}=/run/mysqld/mysqld.sock`).host).to.equal('/run/mysqld/mysqld.sock');
  });

  it('gives back what was percent-encoded, whatever it is', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value));
    fc.assert(
      fc.property(text, text, fc.constantFrom('postgres', 'mysql'), (user, password, scheme) => {
        const address = read(`${scheme}://${encodeURIComponent(user)}:${encodeURIComponent(password)}@db:5432/x`);
        expect(address).to.include({ user, password, host: 'db', port: 5432, database: 'x' });
      }),
    );
  });

  it('is refused in one sentence, without the password, when that is not encoded', () => {
    for (const scheme of ['postgres', 'mysql', 'mariadb']) {
      for (const password of [
        'hunter#2',
        'hunter%2',
        'hunter/2',
        'hunter?2',
        'hunter 2',
        `hunter@:/#? %ä&'"+`,
        'hunter%E4',
        'h:/hunter@',
      ]) {
        const problems = problemsOf(`${scheme}://odd:${password}@127.0.0.1:5432/gatehouse`);
        expect(problems, password).to.have.length(1);
        expect(problems[0], password)
          .to.match(/^DATABASE_URL: .*percent-encoded/)
          .and.not.match(/hunter|odd/);
      }
      // No reader could mistake these.
      for (const password of ['hunter:2', 'hunter@2', 'hüntér'])
        expect(read(`${scheme}://odd:${password}@db/x`)).to.include({ password, host: 'db' });
    }
  });

  for (const [what, text, problem] of [
    ['another scheme', 'oracle://a/b', /starts with sqlite:, postgres:/],
    ['no scheme', '/var/a.sqlite', /starts with sqlite:/],
    ['quotes around it', '"postgres://a/b"', /starts with sqlite:/],
    ['half a scheme', 'postgres:a/b', /starts with sqlite:/],
    ['no host', 'postgres:///gatehouse', /names no host/],
    ['no host for MariaDB', 'mysql://u:p@/gatehouse', /names no host/],
    ['several hosts', 'postgres://u@a:1,b:2/x', /several hosts/],
    ['several hosts in a word', 'postgres://u@/x?host=a,b', /several hosts/],
    ['a port of 0', 'postgres://db:0/x', /port is no number from 1 to 65535/],
    ['a port out of range', 'mysql://db:65536/x', /port is no number from 1 to 65535/],
    ['a port that is none', 'postgres://db:5432x/x', /port is no number/],
    ['an IPv6 address without brackets', 'postgres://::1:5432/x', /in brackets/],
    ['brackets around something else', 'postgres://[db]/x', /no IPv6 address/],
    ['a zone', 'postgres://[fe80::1%25eth0]/x', /no IPv6 address/],
    ['a short IPv4 address', 'postgres://10.1/x', /neither a name nor an address/],
    ['a hexadecimal address', 'postgres://0x7f000001/x', /neither a name nor an address/],
    ['a host with blanks', 'postgres://a%20b/x', /neither a name nor an address/],
    ['a database with a slash', 'postgres://db/x/y', /name of one database/],
    ['a control character', 'postgres://u:%00@db/x', /control characters/],
    ['a relative socket', 'mysql://u@localhost/x?socket=mysqld.sock', /path of a socket/],
    ['a SQLite file with words', 'sqlite:x.sqlite?mode=ro', /no words after a \?/],
    ['a word that stands twice', 'postgres://db/x?sslmode=require&ssl-mode=disable', /ssl-mode stands in it twice/],
  ] as const) {
    it(`is refused in words: ${what}`, () => {
      const problems = problemsOf(text);
      expect(problems).to.have.length(1);
      expect(problems[0])
        .to.match(/^DATABASE_URL: /)
        .and.match(problem);
    });
  }

  it('names every word that would do nothing, and what there is in its place', () => {
    const problems = problemsOf(
      'mysql://u:p@db/x?conection_limit=5&connectionLimit=9&parseTime=true&multipleStatements=true',
    );
    expect(problems).to.have.length(4);
    expect(problems[0]).to.match(
      /^DATABASE_URL: conection_limit is not known and would be ignored; take it out \(known are sslmode/,
    );
    expect(problems[1]).to.match(/connectionLimit .*GATEHOUSE_DATABASE_POOL/);
    expect(problemsOf('postgres://db/x?schema=tenant')[0]).to.match(/schema is not known .*search_path/);
    expect(problemsOf('postgres://db/x?connect_timeout=10')[0]).to.match(/time limits of its own/);
    expect(problemsOf('postgres://db/x?amp;sslmode=require')[0]).to.match(/a word after the \? is not known/);
    expect(problemsOf('postgres://db/x?socket=/tmp')[0]).to.match(/socket is not known/);
  });

  it('takes the words that are of use', () => {
    const words = 'application_name=idp&options=-c%20search_path%3Dtenant&prepared=false&client_encoding=utf8';
    expect(read(`postgres://db/x?${words}`).postgres).to.include({
      ...{ applicationName: 'idp', options: '-c search_path=tenant', prepared: false },
    });
    expect(read('postgres://x/y?user=me&password=pw&dbname=z&port=1&host=h')).to.include({
      ...{ user: 'me', password: 'pw', database: 'z', port: 1, host: 'h' },
    });
    expect(read('mysql://db/x?charset=utf8mb4').tls).to.equal(null);
    expect(problemsOf('mysql://db/x?charset=latin1')[0]).to.match(/charset cannot be changed/);
    expect(problemsOf('postgres://db/x?prepared=maybe')[0]).to.match(/prepared is true or false/);
  });
});

describe('TLS in the address of a database', () => {
  const verify = (url: string): string | null => read(url).tls?.verify ?? null;

  for (const [expected, queries] of [
    [
      'nothing',
      [
        ...[
          'sslmode=require',
          'ssl-mode=REQUIRED',
          'ssl_mode=Required',
          'sslMode=require',
          'SSLMODE=REQUIRE',
          'ssl=require',
        ],
        ...['tls=skip-verify', 'sslaccept=accept_invalid_certs', 'sslmode=require&sslaccept=accept_invalid_certs'],
        ...['useSSL=true&verifyServerCertificate=false', 'requireSSL=true', 'ssl={"rejectUnauthorized":false}'],
        ...[
          'sslmode=no-verify',
          'ssl=no-verify',
          'ssl=true&trustServerCertificate=true',
          'sslmode=prefer&verifyServerCertificate=false',
        ],
      ],
    ],
    [
      'authority',
      [
        ...[
          'sslmode=verify-ca',
          'ssl-mode=VERIFY_CA',
          'ssl-mode=REQUIRED&ssl-ca=/ca.pem',
          'sslmode=require&sslrootcert=/ca.pem',
        ],
        ...['useSSL=true&verifyServerCertificate=true', 'ssl={"verifyIdentity":false}', 'ssl_verify_cert=true'],
      ],
    ],
    [
      'host',
      [
        ...[
          'sslmode=verify-full',
          'ssl-mode=VERIFY_IDENTITY',
          'ssl_mode=verify_identity',
          'sslmode=verify-full&sslrootcert=system',
        ],
        ...[
          'ssl=true',
          'ssl=1',
          'SSL=TRUE',
          'tls=true',
          'useSSL=true',
          'useSSL=true&requireSSL=false',
          'sslaccept=strict',
        ],
        ...[
          'sslmode=require&sslaccept=strict',
          'ssl={"rejectUnauthorized":true}',
          'ssl={}',
          'sslrootcert=/ca.pem',
          'ssl-ca=/ca.pem',
        ],
        ...['ssl=true&sslrootcert=/ca.pem', 'sslcert=/c.pem&sslkey=/k.pem', 'sslmode=prefer&sslrootcert=/ca.pem'],
      ],
    ],
    [
      null,
      [
        '',
        'sslmode=disable',
        'ssl-mode=DISABLED',
        'ssl=false',
        'tls=false',
        'useSSL=false',
        'ssl=0',
        'useSSL=false&verifyServerCertificate=false',
      ],
    ],
  ] as const) {
    it(`means what its user expects: ${expected ?? 'in the clear'}`, () => {
      for (const query of queries) {
        for (const place of PLACES)
          expect(verify(`${place}?${query.replaceAll('"', '%22')}`), query).to.equal(expected);
      }
    });
  }

  it('is left out only where nobody can listen when the server decides', () => {
    for (const query of ['sslmode=prefer', 'sslmode=allow', 'ssl-mode=PREFERRED', 'tls=preferred']) {
      for (const host of ['localhost', '127.0.0.1', '[::1]']) {
        expect(verify(`postgres://${host}/x?${query}`)).to.equal(null);
        expect(verify(`mysql://${host}/x?${query}`)).to.equal(null);
      }
      expect(verify(`postgres:///x?host=/tmp&${query}`)).to.equal(null);
      for (const place of PLACES)
        expect(problemsOf(`${place}?${query}`)[0], query).to.match(/in the clear when the server likes; write/);
    }
  });

  it('names the files of its certificates', () => {
    const files = 'sslrootcert=/etc/ca.pem&sslcert=/etc/c.pem&sslkey=/etc/k.pem&sslpassword=pw';
    for (const place of PLACES) {
      expect(read(`${place}?sslmode=verify-full&${files}`).tls).to.deep.equal({
        ...{ verify: 'host', ca: '/etc/ca.pem', cert: '/etc/c.pem', key: '/etc/k.pem', passphrase: 'pw' },
      });
      expect(read(`${place}?sslmode=verify-full&sslrootcert=system`).tls).to.include({ ca: null });
    }
  });

  for (const [query, problem] of [
    ['sslmode=always', /value of sslmode is not known; write sslmode=verify-full/],
    ['sslmode=', /value of sslmode is not known/],
    ['ssl=Amazon%20RDS', /value of ssl is not known/],
    ['ssl={%22ca%22:%22x%22}', /value of ssl is not known/],
    ['ssl={%22rejectUnauthorized%22:%22no%22}', /value of ssl is not known/],
    ['ssl={', /value of ssl is not known/],
    ['tls=custom', /value of tls is not known/],
    ['useSSL=perhaps', /value of useSSL is not known/],
    ['sslrootcert=', /value of sslrootcert is not known/],
    ['sslmode=disable&tls=true', /sslmode and tls contradict each other/],
    ['sslmode=disable&sslrootcert=/ca.pem', /sslmode and sslrootcert contradict each other/],
    ['sslmode=disable&sslaccept=strict', /contradict each other/],
    ['sslcert=/c.pem', /name both or neither \(that of the authority is sslrootcert\)/],
    ['sslcert=/c.pem&sslaccept=strict', /name both or neither/],
    ['sslkey=/k.pem', /name both or neither/],
    ['ssl=true&sslpassword=hunter2', /sslpassword opens sslkey/],
    ['tls=skip-verify&sslca=/ca.pem', /does nothing when the server's is not verified/],
    ['sslidentity=x.p12', /sslidentity is not known .*sslcert and sslkey, in PEM/],
    ['enable_tls=true', /enable_tls is not known and would be ignored/],
    ['sslcrl=/crl.pem', /sslcrl is not known/],
  ] as const) {
    it(`is refused in words: ${query}`, () => {
      for (const place of PLACES) {
        const problems = problemsOf(`${place}?${query}`);
        expect(problems).to.have.length(1);
        expect(problems[0])
          .to.match(problem)
          .and.not.match(/hunter2/);
      }
    });
  }

  it('has no place on a socket', () => {
    expect(problemsOf('postgres:///x?host=/tmp&sslmode=require')[0]).to.match(/socket is not encrypted/);
    expect(problemsOf('mysql://localhost/x?socket=/tmp/s&tls=true')[0]).to.match(/socket is not encrypted/);
  });

  it('verifies the other end where channel binding is required', () => {
    const neon = read('postgres://u:p@ep-1.neon.example/x?sslmode=require&channel_binding=require');
    expect(neon.tls?.verify).to.equal('host');
    expect(neon.postgres.channelBinding).to.equal(true);
    expect(read('postgres://db/x?sslmode=require&channel_binding=prefer').tls?.verify).to.equal('nothing');
    expect(problemsOf('postgres://db/x?sslmode=disable&channel_binding=require')[0]).to.match(
      /sslmode and channel_binding contradict/,
    );
    expect(problemsOf('postgres://db/x?channel_binding=always')[0]).to.match(/one of require, prefer, disable/);
    expect(read('postgres://db/x?sslnegotiation=direct').postgres.directTls).to.equal(true);
  });
});
