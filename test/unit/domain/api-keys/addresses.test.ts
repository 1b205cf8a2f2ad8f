import { expect } from 'chai';
import { addressProblem, isAllowedAddress } from '../../../../src/domain/api-keys/addresses.ts';

describe('the addresses a key may be used from', () => {
  it('are addresses and CIDR ranges of either family', () => {
    for (const good of [
      '10.0.0.1',
      '10.0.0.0/8',
      '10.1.2.3/8',
      '0.0.0.0/0',
      '2001:db8::/32',
      '::1',
      '::/0',
      '::1/128',
    ]) {
      expect(addressProblem(good), good).to.equal(null);
    }
    const bad = ['', '10.0.0', '10.0.0.256', '010.0.0.1', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/08'];
    for (const text of [...bad, '10.0.0.0/8/8', '10.0.0.0/1e1', '::/129', 'fe80::1%eth0', 'example.com', ' 10.0.0.1']) {
      expect(addressProblem(text), text).to.be.a('string');
    }
  });

  it('allow whoever is in one of the ranges, and nobody else', () => {
    const ranges = ['10.1.2.3', '192.168.0.0/16', '2001:db8::/32'];
    for (const inside of ['10.1.2.3', '192.168.255.1', '::ffff:192.168.1.1', '2001:db8:ffff::1']) {
      expect(isAllowedAddress(inside, ranges), inside).to.equal(true);
    }
    for (const outside of ['10.1.2.4', '192.169.0.1', '::ffff:10.1.2.4', '2001:db9::1', '', 'nonsense']) {
      expect(isAllowedAddress(outside, ranges), outside).to.equal(false);
    }
  });

  it('allow everyone when there are none, and nobody when none of them can be read', () => {
    expect(isAllowedAddress('203.0.113.9', [])).to.equal(true);
    expect(isAllowedAddress('203.0.113.9', ['damaged'])).to.equal(false);
  });
});
