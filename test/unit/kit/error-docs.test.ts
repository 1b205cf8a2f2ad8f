import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ERROR_CODES } from '../../../src/kit/error-codes.ts';
import { errorsPage } from '../../../src/kit/error-docs.ts';

const committed = join(import.meta.dirname, '../../../docs/errors.md');

describe('docs/errors.md', () => {
  it('is what the table says now; `npm run docs` writes it', () => {
    expect(readFileSync(committed, 'utf8')).to.equal(errorsPage());
  });

  it('has every code once', () => {
    for (const code of Object.keys(ERROR_CODES)) {
      expect(errorsPage().split(`\n| \`${code}\` |`), code).to.have.length(2);
    }
  });
});

describe('every error code', () => {
  it('tells what happened and what to do, in whole sentences that fit a table cell', () => {
    for (const [code, { status, oauth, title, next }] of Object.entries(ERROR_CODES)) {
      expect(status, code).to.be.within(400, 599);
      // RFC 6749 5.2.
      expect(oauth, code).to.match(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      expect(title, code).to.match(/^[A-Z][^|\n]*[^.]$/);
      expect(next, code).to.match(/^[A-Z][^|\n]*\.$/);
    }
  });
});
