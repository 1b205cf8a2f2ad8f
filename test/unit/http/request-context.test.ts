import { expect } from 'chai';
import fc from 'fast-check';
import { createProxyTrust } from '../../../src/config/proxies.ts';
import { clientBehindProxies, parseAddress } from '../../../src/http/request-context.ts';

describe('the address behind proxies', () => {
  const isTrusted = createProxyTrust(['10.0.0.0/8', '2001:db8:ffff::/48']);
  const client = (header: string): string | null => clientBehindProxies(header, isTrusted);

  it('is the last one that no trusted proxy added', () => {
    expect(client('203.0.113.7')).to.equal('203.0.113.7');
    expect(client('203.0.113.7, 10.0.0.1')).to.equal('203.0.113.7');
    expect(client('203.0.113.7,10.0.0.1 ,\t10.0.0.2')).to.equal('203.0.113.7');
    expect(client('2001:db8::7, 2001:db8:ffff::1')).to.equal('2001:db8::7');
  });

  it('is never what the caller wrote to the left of it', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (forged, real) => {
        fc.pre(!isTrusted(real));
        expect(client(`${forged}, ${real}, 10.0.0.1`)).to.equal(real);
      }),
    );
  });

  it('is the farthest proxy when only proxies are named, and unknown when nothing is', () => {
    expect(client('10.0.0.2, 10.0.0.1')).to.equal('10.0.0.2');
    expect(client('')).to.equal(null);
    expect(client(' , ,')).to.equal(null);
  });
});

describe('the trust in proxies', () => {
  it('covers the ranges named, in both spellings of IPv4, and nothing else', () => {
    const isTrusted = createProxyTrust(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);
    for (const address of [
      '10.0.0.1',
      '10.255.255.255',
      '192.0.2.1',
      '::ffff:10.0.0.1',
      '2001:db8::1',
      '2001:db8:ffff::',
    ])
      expect([address, isTrusted(address)]).to.deep.equal([address, true]);
    for (const address of [
      '11.0.0.1',
      '192.0.2.2',
      '2001:db9::1',
      '::ffff:11.0.0.1',
      '::1',
      '127.0.0.1',
      '',
      'x',
      '10.0.0.1, 10.0.0.2',
      '10.0.0.1:80',
    ])
      expect([address, isTrusted(address)]).to.deep.equal([address, false]);
  });

  it('is none by default', () => {
    expect(createProxyTrust([])('127.0.0.1')).to.equal(false);
  });
});

describe('an address as proxies write it', () => {
  it('may stand in brackets and have a port', () => {
    for (const text of ['203.0.113.7', '203.0.113.7:4711', ' 203.0.113.7 ', '[::ffff:203.0.113.7]:80'])
      expect(parseAddress(text), text).to.equal('203.0.113.7');
    for (const text of ['2001:db8::7', '[2001:DB8::7]', '[2001:db8::7]:443'])
      expect(parseAddress(text), text).to.equal('2001:db8::7');
  });

  it('is otherwise as strict as everywhere', () => {
    for (const text of [
      '',
      '10.1',
      '010.0.0.1',
      '10.1:80',
      '010.0.0.1:80',
      '[fe80::1%eth0]',
      '203.0.113.7:',
      '[::1',
      '::1]',
    ])
      expect(parseAddress(text), text).to.equal(null);
    for (const text of ['203.0.113.7:123456', 'unknown', '_hidden', '203.0.113.7/8', '[::1]x'])
      expect(parseAddress(text), text).to.equal(null);
  });
});
