import { BlockList } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  addressGroup,
  areWithin,
  countAddresses,
  createAddressSet,
  isThisMachine,
  isWithin,
  parseAddress,
  parseRange,
} from '../../../src/kit/addresses.ts';

const range = (text: string) => {
  const parsed = parseRange(text);
  if (parsed === null) throw new Error(`${text} is no range`);
  return parsed;
};

describe('addresses and ranges', () => {
  it('are read in one canonical form', () => {
    expect(parseAddress('203.0.113.7')).to.equal('203.0.113.7');
    expect(parseAddress('2001:DB8:0:0::0:7')).to.equal('2001:db8::7');
    expect(parseAddress('::FFFF:203.0.113.7')).to.equal('203.0.113.7');
    expect(parseAddress('0:0:0:0:0:ffff:cb00:7107')).to.equal('203.0.113.7');
    expect(range('10.0.0.1')).to.deep.equal({ family: 'ipv4', address: '10.0.0.1', prefix: 32 });
    expect(range('::ffff:10.0.0.0/104')).to.deep.equal({ family: 'ipv4', address: '10.0.0.0', prefix: 8 });
    expect(range('::ffff:0:0/96')).to.deep.equal({ family: 'ipv4', address: '0.0.0.0', prefix: 0 });
    expect(range('::ffff:0:0/90')).to.deep.equal({ family: 'ipv6', address: '::ffff:0.0.0.0', prefix: 90 });
    expect(range('2001:db8::/32')).to.deep.equal({ family: 'ipv6', address: '2001:db8::', prefix: 32 });
  });

  it('are refused when anything about them is loose', () => {
    const addresses = ['', ' ', '10.1', '10.0.0', '10.0.0.0.0', '10.0.0.256', '010.0.0.1', '0x0a.0.0.1', '167772161'];
    const more = [
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1.2.3.4\n',
      '-1.2.3.4',
      '１.2.3.4',
      '::ffff:010.0.0.1',
      '1::2::3',
      'fe80::1%eth0',
    ];
    for (const text of [...addresses, ...more, '[::1]', '1.2.3.4:80', 'localhost', '12345::', '*']) {
      expect(parseAddress(text), JSON.stringify(text)).to.equal(null);
      expect(parseRange(text), JSON.stringify(text)).to.equal(null);
    }
    const prefixes = ['', '33', '08', '00', '-1', '+8', ' 8', '8 ', '1e1', '0x8', '8.0', '8/8', '255.0.0.0', 'x', '٨'];
    for (const prefix of prefixes) expect(parseRange(`10.0.0.1/${prefix}`), prefix).to.equal(null);
    for (const prefix of ['', '129', '1280', '-1', '064']) expect(parseRange(`::1/${prefix}`), prefix).to.equal(null);
    for (const text of ['10.1/8', '/8', '/', '::ffff:10.0.0.0/129']) expect(parseRange(text), text).to.equal(null);
  });

  const ipv4 = fc.ipV4();
  const anyRange = fc.oneof(
    fc.tuple(ipv4, fc.nat(32)).map(([address, prefix]) => `${address}/${prefix}`),
    fc.tuple(ipv4, fc.integer({ min: 96, max: 128 })).map(([address, prefix]) => `::ffff:${address}/${prefix}`),
    fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`),
  );
  const anyAddress = fc.oneof(
    ipv4,
    fc.ipV6(),
    ipv4.map((address) => `::ffff:${address}`),
  );

  it("hold what Node's own list holds", () => {
    fc.assert(
      fc.property(anyRange, anyAddress, (text, address) => {
        const list = new BlockList();
        const [start = '', prefix] = text.split('/');
        list.addSubnet(start, Number(prefix), start.includes(':') ? 'ipv6' : 'ipv4');
        const expected = list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
        expect(createAddressSet([text])(address)).to.equal(expected);
        expect(isWithin(range(address), range(text))).to.equal(expected);
      }),
    );
  });

  it('are counted once, however they overlap and in whatever order they come', () => {
    const count = (...texts: string[]): bigint => countAddresses(texts.map(range));
    expect(count()).to.equal(0n);
    expect(count('0.0.0.0/1', '128.0.0.0/1')).to.equal(1n << 32n);
    expect(count('10.0.0.0/8', '10.1.0.0/16', '::ffff:10.0.0.0/104')).to.equal(1n << 24n);
    expect(count('::/0', '0.0.0.0/0')).to.equal(1n << 128n);
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 6 }), (texts) => {
        const forward = count(...texts);
        expect(count(...texts.toReversed(), ...texts)).to.equal(forward);
        expect(forward >= texts.reduce((most, each) => (count(each) > most ? count(each) : most), 0n)).to.equal(true);
      }),
    );
  });

  it('in a set that cannot be read hold nobody', () => {
    for (const text of ['10.0.0.1/', 'damaged', '']) {
      for (const address of ['10.0.0.1', '0.0.0.0', '::', ''])
        expect(createAddressSet([text])(address)).to.equal(false);
    }
  });
});

describe('this machine', () => {
  it('is known by its names and addresses', () => {
    for (const host of [
      'localhost',
      'LOCALHOST',
      'auth.localhost',
      'localhost.',
      '127.0.0.1',
      '127.9.9.9',
      '::1',
      '[::1]',
    ])
      expect(isThisMachine(host), host).to.equal(true);
    expect(isThisMachine('::ffff:127.0.0.1')).to.equal(true);
    for (const host of [
      '',
      '::',
      '0.0.0.0',
      '10.0.0.1',
      'localhost.example.com',
      'notlocalhost',
      '128.0.0.1',
      '2130706433',
    ])
      expect(isThisMachine(host), host).to.equal(false);
  });
});

describe('ranges within ranges', () => {
  const all = (...texts: string[]) => texts.map(range);

  it('are within them together: halves hold the whole, a gap is a gap', () => {
    expect(areWithin(all('10.0.0.0/8'), all('10.128.0.0/9', '10.0.0.0/9'))).to.equal(true);
    expect(areWithin(all('10.0.0.0/8'), all('10.0.0.0/9', '10.192.0.0/10'))).to.equal(false);
    expect(areWithin(all('10.0.0.0/8', '11.0.0.1'), all('10.0.0.0/8'))).to.equal(false);
    expect(areWithin(all('::ffff:10.1.0.0/112'), all('10.0.0.0/8'))).to.equal(true);
    expect(areWithin(all('10.0.0.0/8'), all('::/0'))).to.equal(true);
    expect(areWithin(all('::/0'), all('0.0.0.0/0'))).to.equal(false);
    expect(areWithin([], [])).to.equal(true);
    expect(areWithin(all('10.0.0.1'), [])).to.equal(false);
  });

  it('hold no address that the others do not', () => {
    const byte = fc.nat(255);
    const narrow = fc.integer({ min: 0, max: 12 });
    const near = fc.oneof(
      fc.tuple(fc.constantFrom(0, 64, 127, 128, 255), byte, narrow).map(([a, b, bits]) => `${a}.${b}.0.0/${bits}`),
      fc.tuple(byte, narrow).map(([a, bits]) => `::ffff:${a}.0.0.0/${bits + 90}`),
      fc.tuple(byte, narrow).map(([a, bits]) => `${a.toString(16)}00::/${bits}`),
    );
    const lists = fc.array(near, { maxLength: 4 });
    const addresses = fc.array(fc.tuple(byte, byte).map(([a, b]) => [`${a}.${b}.0.1`, `${a.toString(16)}00:${b}::1`]));
    fc.assert(
      fc.property(lists, lists, addresses, (inner, outer, some) => {
        fc.pre(areWithin(all(...inner), all(...outer)));
        const [isInner, isOuter] = [createAddressSet(inner), createAddressSet(outer)];
        const starts = inner.map((text) => text.replace(/\/.*$/, ''));
        for (const address of [...starts, ...some.flat()])
          if (isInner(address)) expect(isOuter(address)).to.equal(true);
      }),
    );
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
