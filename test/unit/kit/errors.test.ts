import { expect } from 'chai';
import { ERROR_CODES, type ErrorCodeName } from '../../../src/kit/error-codes.ts';
import { AppError, StoreUnavailableError } from '../../../src/kit/errors.ts';

describe('an AppError', () => {
  it('shows the caller the words for the caller, and the log the rest', () => {
    const error = new AppError('invalid_grant', {
      public: 'the code is not valid',
      internal: 'used at 12:00',
      cause: new Error('x'),
    });
    expect(error.public).to.equal('the code is not valid');
    expect(error.message).to.equal('used at 12:00');
    expect(error.entry.status).to.equal(400);
    expect((error.cause as Error).message).to.equal('x');
  });

  it('says something sensible when nothing was said', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCodeName[]) {
      const error = new AppError(code);
      expect(error.public).to.equal(ERROR_CODES[code].title);
      expect(error.headers).to.deep.equal({});
    }
  });

  it('has a status and an OAuth error for every code, in the characters RFC 6749 allows', () => {
    for (const [code, { status, oauth, title, next }] of Object.entries(ERROR_CODES)) {
      expect(status, code).to.be.within(400, 599);
      expect(oauth, code).to.match(/^[a-z_]+$/);
      expect(title, code).to.match(/^[A-Z][^.]*$/);
      expect(next, code).to.match(/\.$/);
    }
  });

  it('of a store says when to try again and keeps its name from the caller', () => {
    const error = new StoreUnavailableError('database', new Error('ECONNREFUSED 10.0.0.1'));
    expect(error).to.be.instanceOf(AppError);
    expect(error.entry.status).to.equal(503);
    expect(error.retryAfterSeconds).to.be.greaterThan(0);
    expect(error.public).to.not.contain('database').and.to.not.contain('10.0.0.1');
  });
});
