import { expect } from 'chai';
import { ConfigError } from '../../../src/config/problems.ts';
import { readRedisAddress } from '../../../src/config/redis-address.ts';

function problemsOf(text: string): string[] {
  try {
    readRedisAddress(text);
    return [];
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return [...(error as ConfigError).problems];
  }
}

describe('the address of Redis', () => {
  it('is read in all its parts', () => {
    expect(readRedisAddress('redis://cache')).to.deep.equal({
      ...{ host: 'cache', port: 6379, user: null, password: null, database: 0, family: 0, tls: null },
    });
    expect(readRedisAddress('redis://me:p%40w@[::1]:6380/3?family=6')).to.include({
      ...{ host: '::1', port: 6380, user: 'me', password: 'p@w', database: 3, family: 6 },
    });
    expect(readRedisAddress('redis://:pw@cache/?db=2')).to.include({ user: null, password: 'pw', database: 2 });
    expect(readRedisAddress('unix:///run/redis/redis.sock?db=1')).to.include({
      host: '/run/redis/redis.sock',
      database: 1,
    });
  });

  it('is encrypted and verified by its scheme, however that is written, or by a word', () => {
    for (const text of [
      'rediss://cache',
      'REDISS://cache',
      'redis://cache?tls=true',
      'redis://cache?ssl=true',
      'rediss://cache?ssl_cert_reqs=required',
    ])
      expect(readRedisAddress(text).tls?.verify, text).to.equal('host');
    for (const word of ['ssl_cert_reqs=none', 'verifyPeer=NONE', 'skip_verify=true', 'rejectUnauthorized=false'])
      expect(readRedisAddress(`rediss://cache?${word}`).tls?.verify, word).to.equal('nothing');
    for (const word of ['ssl_check_hostname=false', 'verifyPeer=ca', 'ssl_cert_reqs=required&ssl_check_hostname=false'])
      expect(readRedisAddress(`rediss://cache?${word}`).tls?.verify, word).to.equal('authority');
    expect(
      readRedisAddress('rediss://cache?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem').tls,
    ).to.include({
      ...{ ca: '/ca.pem', cert: '/c.pem', key: '/k.pem', verify: 'host' },
    });
  });

  for (const [text, problem] of [
    ['memcached://x', /starts with redis:/],
    ['cache:6379', /starts with redis:/],
    ['redis:///0', /names no host/],
    ['redis://:hun#ter2@cache', /percent-encoded/],
    ['redis://:hun/ter2@cache', /percent-encoded/],
    ['redis://cache:70000', /port is no number/],
    ['redis://a:1,b:2', /several hosts/],
    ['redis://cache/zero', /number of a database/],
    ['redis://cache?db=-1', /number of a database/],
    ['redis://%2Frun%2Fredis.sock', /unix:\/\/\/path/],
    ['unix://run/redis.sock', /unix:\/\/\/path/],
    ['redis://cache?family=5', /family is 4, 6 or 0/],
    ['redis://cache?sentinel=x', /sentinel is not known and would be ignored/],
    ['redis://cache?enableOfflineQueue=true', /enableOfflineQueue is not known/],
    ['rediss://cache?ssl=false', /ssl and rediss:\/\/ contradict each other/],
    ['rediss://cache?ssl_cert_reqs=optional', /value of ssl_cert_reqs is not known/],
  ] as const) {
    it(`is refused in words: ${text}`, () => {
      const problems = problemsOf(text);
      expect(problems).to.have.length(1);
      expect(problems[0])
        .to.match(/^REDIS_URL: /)
        .and.match(problem)
        .and.not.match(/hun.?ter2/);
    });
  }
});
