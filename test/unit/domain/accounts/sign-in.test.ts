import { expect } from 'chai';
import type { Account } from '../../../../src/domain/accounts/account.ts';
import type { AccountStore } from '../../../../src/domain/accounts/account-store.ts';
import type { KnownDevice } from '../../../../src/domain/accounts/known-device.ts';
import { createSignIn } from '../../../../src/domain/accounts/sign-in.ts';
import { createThrottle } from '../../../../src/domain/limits/throttle.ts';
import { createDigester } from '../../../../src/kit/digest.ts';
import { AppError } from '../../../../src/kit/errors.ts';
import { createMemoryThrottleStore } from '../../../../src/storage/memory/memory-throttle-store.ts';

const ADA = { id: 'acc_ada', email: 'ada@example.com', passwordHash: 'right', disabledAt: null, signedOutAt: null };

/** The password is `right`; hashing costs nothing here. */
function world({ failuresByAddress = 100 } = {}) {
  let nowMs = 1_800_000_000_000;
  let busy = false;
  const clock = { nowMs: () => nowMs, nowSeconds: () => Math.floor(nowMs / 1000) };
  const account = { ...ADA } as Account;
  const signIn = createSignIn({
    clock,
    failuresByAddress,
    accounts: { findByEmail: async (email: string) => (email === ADA.email ? account : null) } as AccountStore,
    passwords: {
      hash: async () => '',
      load: () => ({ running: 0, waiting: 0 }),
      async verify(phc, password) {
        if (busy) throw new AppError('temporarily_unavailable');
        return phc === password;
      },
    },
    throttle: createThrottle({
      store: createMemoryThrottleStore({ max: 100_000 }),
      digester: createDigester(Buffer.alloc(32, 1)),
      clock,
    }),
  });
  const attempt = async (password: string, addressGroup: string, knownDevice: KnownDevice | null = null) => {
    const outcome = await signIn({ email: ADA.email, password, addressGroup, knownDevice });
    return outcome.kind === 'throttled' ? `${outcome.by} ${outcome.retryAfterSeconds}` : outcome.kind;
  };
  return {
    attempt,
    account,
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    be: (state: 'busy' | 'free') => {
      busy = state === 'busy';
    },
    /** Every address guesses as often as it may, at once. */
    async storm(addresses: number, guesses = 5): Promise<number> {
      let passed = 0;
      for (let i = 0; i < addresses; i += 1) {
        for (let j = 0; j < guesses; j += 1) {
          if ((await attempt('wrong', `10.0.${i >> 8}.${i & 255}`)) === 'refused') passed += 1;
        }
      }
      return passed;
    },
  };
}

describe('guessing at an account', () => {
  it('from one address once per wait, all day, is about a hundred guesses and keeps out nobody elsewhere', async () => {
    const { attempt, pass } = world();
    let guesses = 0;
    for (let second = 0; second < 86_400; second += 20) {
      if ((await attempt('wrong', '10.0.0.1')) === 'refused') guesses += 1;
      if (second % 3600 === 0) expect(await attempt('right', '10.9.9.9')).to.equal('signed-in');
      pass(20);
    }
    expect(guesses).to.be.within(90, 110);
  });

  it('from a hundred addresses keeps out nobody elsewhere', async () => {
    const { attempt, storm } = world();
    expect(await storm(100)).to.equal(500);
    expect(await attempt('wrong', '10.0.0.1')).to.match(/^sign-in-to-account \d+$/);
    for (let i = 0; i < 4; i += 1) expect(await attempt('wrong', '10.9.9.9')).to.equal('refused');
    expect(await attempt('right', '10.9.9.9')).to.equal('signed-in');
  });

  it('from any number of addresses comes to an end at 1000, and goes on with one in ten seconds', async () => {
    const { attempt, storm, pass } = world();
    expect(await storm(300)).to.equal(1000);
    expect(await attempt('right', '10.9.9.9')).to.equal('sign-in-to-account 10');
    pass(10);
    expect(await attempt('right', '10.9.9.9')).to.equal('signed-in');
  });

  it('from addresses that have used up what is free comes to an end at 100', async () => {
    const { attempt, storm, pass } = world();
    await storm(30);
    // Their own waits are over, and the account has drained to where it was a little below.
    pass(600);
    let passed = 0;
    for (let i = 0; i < 30; i += 1) if ((await attempt('wrong', `10.0.0.${i}`)) === 'refused') passed += 1;
    expect(passed).to.equal(10);
  });

  it('from all addresses of an IPv6 network is held to what the network may', async () => {
    const { attempt } = world();
    let passed = 0;
    for (let i = 0; i < 100; i += 1) if ((await attempt('wrong', `2001:db8:1:${i}::/64`)) === 'refused') passed += 1;
    expect(passed).to.equal(25);
    expect(await attempt('wrong', '2001:db8:1:ffff::/64')).to.equal('sign-in-account-and-network 2');
    expect(await attempt('right', '2001:db8:2:1::/64')).to.equal('signed-in');
  });

  it('makes a known device wait in no case, unless the device guesses itself', async () => {
    const { attempt, storm } = world();
    const own = { accountId: ADA.id, deviceId: 'd1', knownSince: 1 };
    await storm(300);
    for (let i = 0; i < 5; i += 1) expect(await attempt('wrong', '10.0.0.1', own)).to.equal('refused');
    expect(await attempt('right', '10.0.0.1', own)).to.equal('sign-in-device 2');
    expect(await attempt('right', '10.0.0.1', { ...own, deviceId: 'd2' })).to.equal('signed-in');
  });

  it('finds no other counter with the device of another account, or one from before a new password', async () => {
    const { attempt, account } = world();
    for (let i = 0; i < 5; i += 1) await attempt('wrong', '10.0.0.1');
    const own = { accountId: ADA.id, deviceId: 'd1', knownSince: 1_700_000_000 };
    const other = { ...own, accountId: 'acc_other' };
    expect(await attempt('right', '10.0.0.1', other)).to.equal('sign-in-account-and-address 2');
    account.signedOutAt = 1_700_000_000_500;
    expect(await attempt('right', '10.0.0.1', own)).to.equal('sign-in-account-and-address 2');
    expect(await attempt('right', '10.0.0.1', { ...own, knownSince: 1_700_000_001 })).to.equal('signed-in');
  });
});

describe('a sign-in', () => {
  it('that succeeds counts nowhere', async () => {
    const { attempt } = world({ failuresByAddress: 10 });
    for (let i = 0; i < 500; i += 1) expect(await attempt('right', '10.0.0.1')).to.equal('signed-in');
  });

  it('that found no place in the queue for hashes counts nowhere', async () => {
    const { attempt, be } = world({ failuresByAddress: 10 });
    be('busy');
    for (let i = 0; i < 50; i += 1) {
      const error = await attempt('right', '10.0.0.1').catch((thrown: AppError) => thrown.code);
      expect(error).to.equal('temporarily_unavailable');
    }
    be('free');
    for (let i = 0; i < 5; i += 1) expect(await attempt('wrong', '10.0.0.1')).to.equal('refused');
    expect(await attempt('wrong', '10.0.0.1')).to.equal('sign-in-account-and-address 2');
  });
});
