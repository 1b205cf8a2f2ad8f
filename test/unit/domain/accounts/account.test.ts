import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, displayName, normalizeEmail, signInCounts } from '../../../../src/domain/accounts/account.ts';

describe('an email address', () => {
  it('is one address however it is typed', () => {
    for (const typed of ['ada@example.com', 'ADA@EXAMPLE.COM', '  ada@example.com\t', 'ａｄａ@example.com'])
      expect(normalizeEmail(typed)).to.equal('ada@example.com');
  });

  it('may have letters of any script', () => {
    expect(normalizeEmail('Grüße@Beispiel.de')).to.equal('grüße@beispiel.de');
    expect(normalizeEmail('用户@例子.中国')).to.equal('用户@例子.中国');
  });

  it('is refused when it is none', () => {
    for (const typed of [
      '',
      'ada',
      '@example.com',
      'ada@',
      'a@b@c',
      'a b@example.com',
      'ada@exam ple.com',
      'ada@example.com\0',
      `a\u0000@example.com`,
      'ada@example.com\r\nBcc: x@y',
      `${'x'.repeat(65)}@example.com`,
      `a@${'x'.repeat(256)}`,
    ])
      expect([typed, normalizeEmail(typed)]).to.deep.equal([typed, null]);
  });

  it('stays the same when it is normalized again, whatever was typed', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.emailAddress(),
          fc.string({ unit: 'binary' }).map((text) => `${text}@x`),
        ),
        (typed) => {
          const once = normalizeEmail(typed);
          if (once !== null) expect(normalizeEmail(once)).to.equal(once);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the name of a person', () => {
  it('is what is known of it, or the address', () => {
    const email = 'ada@example.com';
    expect(displayName({ givenName: 'Ada', familyName: 'Lovelace', email })).to.equal('Ada Lovelace');
    expect(displayName({ givenName: null, familyName: 'Lovelace', email })).to.equal('Lovelace');
    expect(displayName({ givenName: '', familyName: null, email })).to.equal(email);
  });
});

describe('a sign-in', () => {
  const account = (change: Partial<Account>) => ({ disabledAt: null, signedOutAt: null, ...change }) as Account;

  it('counts until its account is disabled', () => {
    expect(signInCounts(account({}), 1000)).to.equal(true);
    expect(signInCounts(account({ disabledAt: 1_000_000 }), 1000)).to.equal(false);
    expect(signInCounts(account({ disabledAt: 1_000_000 }), 2000)).to.equal(false);
  });

  it('counts after everything before was signed out, and not in the very second of it', () => {
    const cut = account({ signedOutAt: 1_000_500 });
    expect([999, 1000, 1001].map((at) => signInCounts(cut, at))).to.deep.equal([false, false, true]);
  });
});
