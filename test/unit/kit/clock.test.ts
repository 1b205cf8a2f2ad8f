import { expect } from 'chai';
import { ageMs, CLOCK_SKEW_MS, isFromTheFuture, isWithin, lastsUntil } from '../../../src/kit/clock.ts';

const NOW = 1_700_000_000_000;

describe('a stored instant', () => {
  it('is from the future when it is further ahead than clocks may be apart', () => {
    expect(isFromTheFuture(NOW + CLOCK_SKEW_MS, NOW)).to.equal(false);
    expect(isFromTheFuture(NOW + CLOCK_SKEW_MS + 1, NOW)).to.equal(true);
  });

  it('is never of a negative age', () => {
    expect(ageMs(NOW - 5, NOW)).to.equal(5);
    expect(ageMs(NOW + 5, NOW)).to.equal(0);
  });

  it('belongs to a window that began with it, and from the future to none', () => {
    expect(isWithin(NOW - 999, 1000, NOW)).to.equal(true);
    expect(isWithin(NOW - 1000, 1000, NOW)).to.equal(false);
    expect(isWithin(NOW + CLOCK_SKEW_MS, 1000, NOW)).to.equal(true);
    expect(isWithin(NOW + 3_600_000, 1000, NOW)).to.equal(false);
  });

  it('ends nothing later than the longest time it may last', () => {
    expect(lastsUntil(NOW, 1000, NOW)).to.equal(false);
    expect(lastsUntil(NOW + 1, 1000, NOW)).to.equal(true);
    expect(lastsUntil(NOW + 1000 + CLOCK_SKEW_MS, 1000, NOW)).to.equal(true);
    expect(lastsUntil(NOW + 1001 + CLOCK_SKEW_MS, 1000, NOW)).to.equal(false);
  });
});
