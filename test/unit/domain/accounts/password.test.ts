import { expect } from 'chai';
import { createPasswords, MAX_PASSWORD_BYTES, passwordProblem } from '../../../../src/domain/accounts/password.ts';
import { AppError } from '../../../../src/kit/errors.ts';

const GOOD = 'correct horse battery staple';

describe('a password hash', () => {
  it('is Argon2id at the strength OWASP asks for, and verifies its own password only', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    const phc = await passwords.hash(GOOD);
    expect(phc).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await passwords.verify(phc, GOOD)).to.equal(true);
    for (const wrong of ['', GOOD.toUpperCase(), `${GOOD} `, GOOD.slice(0, -1), `${GOOD}\0`])
      expect(await passwords.verify(phc, wrong)).to.equal(false);
    expect(await passwords.hash(GOOD)).to.not.equal(phc);
  });

  it('does not depend on how a keyboard composes a letter', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    const phc = await passwords.hash('Ünïcödé pässwörd');
    expect(await passwords.verify(phc, 'Ünïcödé pässwörd'.normalize('NFD'))).to.equal(true);
  });

  it('measures what it hashes: a long password verifies in either spelling', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    const composed = `${'ü'.repeat(500)}abcdef`;
    const phc = await passwords.hash(composed);
    expect(await passwords.verify(phc, composed.normalize('NFD'))).to.equal(true);
    expect(await passwords.verify(await passwords.hash(composed.normalize('NFD')), composed)).to.equal(true);
  });

  it('keeps spaces wherever they are', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    for (const password of ['  two spaces in front', 'two spaces behind  ']) {
      const phc = await passwords.hash(password);
      expect(await passwords.verify(phc, password)).to.equal(true);
      expect(await passwords.verify(phc, password.trim())).to.equal(false);
    }
  });

  it('cuts nothing off: passwords that differ after 72 bytes are different', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    const phc = await passwords.hash(`${'x'.repeat(100)}a`);
    expect(await passwords.verify(phc, `${'x'.repeat(100)}b`)).to.equal(false);
  });

  it('is never true for an account without one, whatever is typed', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 10 });
    for (const typed of ['', GOOD, 'a password that nobody has'])
      expect(await passwords.verify(null, typed)).to.equal(false);
  });

  it('costs an unknown user what it costs a known one', async () => {
    const passwords = await createPasswords({ concurrency: 1, queueLimit: 1000 });
    const phc = await passwords.hash(GOOD);
    const timed = async (stored: string | null): Promise<number> => {
      const started = performance.now();
      await passwords.verify(stored, 'a wrong password');
      return performance.now() - started;
    };
    const [known, unknown]: [number[], number[]] = [[], []];
    for (let i = 0; i < 15; i += 1) {
      known.push(await timed(phc));
      unknown.push(await timed(null));
    }
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
    // The same work; a factor of two is far from "no hash at all", which would be a thousand.
    expect(median(unknown) / median(known)).to.be.within(0.5, 2);
  });
});

describe('the queue for password hashes', () => {
  it('runs no more at once than it may, and all in the end', async () => {
    const passwords = await createPasswords({ concurrency: 2, queueLimit: 100 });
    const seen: number[] = [];
    const jobs = Array.from({ length: 12 }, async () => {
      const done = await passwords.verify(null, 'x');
      seen.push(passwords.load().running);
      return done;
    });
    expect(passwords.load()).to.deep.equal({ running: 2, waiting: 10 });
    expect(await Promise.all(jobs)).to.deep.equal(Array(12).fill(false));
    expect(Math.max(...seen)).to.be.at.most(2);
    expect(passwords.load()).to.deep.equal({ running: 0, waiting: 0 });
  });

  it('refuses what would wait too long, at once and with a time to come back', async () => {
    const passwords = await createPasswords({ concurrency: 1, queueLimit: 2 });
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => passwords.verify(null, 'x')));
    const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason as AppError);
    expect(refused).to.have.length(7);
    for (const error of refused) {
      expect(error).to.be.instanceOf(AppError);
      expect(error.code).to.equal('temporarily_unavailable');
      expect(error.retryAfterSeconds).to.be.greaterThan(0);
    }
    expect(passwords.load()).to.deep.equal({ running: 0, waiting: 0 });
    expect(await passwords.verify(await passwords.hash(GOOD), GOOD)).to.equal(true);
  });

  it('goes on after a hash that cannot be read', async () => {
    const passwords = await createPasswords({ concurrency: 1, queueLimit: 5 });
    const broken = await passwords.verify('not a hash', 'x').catch(() => 'failed');
    expect(broken).to.be.oneOf([false, 'failed']);
    expect(await passwords.verify(null, 'x')).to.equal(false);
    expect(passwords.load()).to.deep.equal({ running: 0, waiting: 0 });
  });

  it('does not hash what is longer than any password', async () => {
    const passwords = await createPasswords({ concurrency: 1, queueLimit: 0 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => passwords.verify(null, 'x'.repeat(MAX_PASSWORD_BYTES + 1))),
    );
    expect(answers).to.deep.equal(Array(20).fill(false));
  });
});

describe('the rules for a new password', () => {
  it('want length, and nothing that people work around', () => {
    for (const password of [
      GOOD,
      'abcde fghij klmno',
      'пароль длинный достаточно',
      '🚪🔑🏠🌳🚗🚪🔑🏠🌳🚗🚪🔑🏠🌳🚗',
      'x'.repeat(500) + GOOD,
    ])
      expect(passwordProblem(password), password).to.equal(null);
    for (const password of ['', 'Tr0ub4dor&3', 'fourteen chars', '🚪'.repeat(14)])
      expect(passwordProblem(password), password).to.contain('at least 15');
    expect(passwordProblem(`${'long'.repeat(300)} and more`)).to.contain('at most');
    expect(passwordProblem('aaaaaaaaaaaaaaaaaaaa')).to.contain('different characters');
    expect(passwordProblem('abababababababab')).to.contain('different characters');
  });

  it('count characters as people do, and bytes as machines do', () => {
    expect(passwordProblem('äöüßäöüßäöüßäöé')).to.equal(null);
    expect(passwordProblem('日本語'.repeat(120))).to.be.a('string');
  });

  it('give one verdict on one password, however it is spelled', () => {
    const passwords = [
      'été à la plage',
      'été à la plage !',
      'ü'.repeat(500) + GOOD,
      `${'u\u0308'.repeat(505)}abcde`,
      `${'각'.repeat(341)}`,
      `${'각'.repeat(300)} und mehr`,
      'ｐａｓｓｗｏｒｄ １２３４',
      'ｐａｓｓｗｏｒｄ １２３４５６',
      // One character becomes eighteen.
      '\ufdfa',
      '\ufdfa'.repeat(32),
      'ééééééééééééééééé',
    ];
    for (const password of passwords) {
      const verdicts = (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) =>
        passwordProblem(password.normalize(form)),
      );
      expect(new Set(verdicts).size, `${password.slice(0, 20)}: ${verdicts.join(' | ')}`).to.equal(1);
    }
    expect(passwordProblem('été à la plage'.normalize('NFD'))).to.contain('at least 15');
    expect(passwordProblem('ü'.repeat(490).normalize('NFD') + GOOD)).to.equal(null);
  });

  it('refuse the email address itself in every spelling', () => {
    const email = 'ｇérard.longname@example.com';
    for (const form of ['NFC', 'NFD', 'NFKC'] as const) {
      expect(passwordProblem(email.normalize(form), [email])).to.contain('email');
    }
  });

  it('refuse the email address itself', () => {
    expect(passwordProblem('Grace.Hopper@example.com', ['grace.hopper@example.com', 'grace.hopper'])).to.contain(
      'email',
    );
    expect(passwordProblem('grace.hopper likes ships', ['grace.hopper@example.com', 'grace.hopper'])).to.equal(null);
  });
});
