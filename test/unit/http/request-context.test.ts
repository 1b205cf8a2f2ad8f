import { expect } from 'chai';
import fc from 'fast-check';
import { createProxyTrust } from '../../../src/config/proxies.ts';
import { addressGroup, clientBehindProxies } from '../../../src/http/request-context.ts';

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

describe('the group an address counts for', () => {
  it('is the address itself for IPv4, however it is written', () => {
    expect(addressGroup('203.0.113.7')).to.equal('203.0.113.7');
    expect(addressGroup('::ffff:203.0.113.7')).to.equal('203.0.113.7');
  });

  it('is the /64 for IPv6, however it is written', () => {
    for (const address of [
      '2001:db8:1:2:3:4:5:6',
      '2001:db8:1:2::',
      '2001:db8:1:2::1',
      '2001:db8:1:2:ffff:ffff:ffff:ffff',
    ])
      expect(addressGroup(address)).to.equal('2001:db8:1:2::/64');
    expect(addressGroup('2001:db8::1')).to.equal('2001:db8:0:0::/64');
    expect(addressGroup('::1')).to.equal('0:0:0:0::/64');
    expect(addressGroup('fe80::1')).to.equal('fe80:0:0:0::/64');
    expect(addressGroup('2001:db8:1:3::1')).to.not.equal(addressGroup('2001:db8:1:2::1'));
  });

  it('is the same for every address of a /64, and another for every other /64', () => {
    const group = fc.nat(0xffff).map((value) => value.toString(16));
    const half = fc.tuple(group, group, group, group);
    fc.assert(
      fc.property(half, half, half, (network, host, other) => {
        const one = addressGroup([...network, ...host].join(':'));
        expect(addressGroup([...network, ...other].join(':'))).to.equal(one);
        if (other.join() !== network.join()) expect(addressGroup([...other, ...host].join(':'))).to.not.equal(one);
      }),
    );
  });
});
