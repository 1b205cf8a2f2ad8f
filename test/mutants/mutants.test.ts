import { join } from 'node:path';
import { expect } from 'chai';
import { MUTANTS } from './lists/index.ts';
import { createPlacing } from './mutant.ts';

const root = join(import.meta.dirname, '..', '..');

/** That each mutant dies is what `npm run mutants` tests; it takes minutes. */
describe('the list of mutants', () => {
  it('has at least 120', () => {
    expect(MUTANTS.length).to.be.at.least(120);
  });

  it('finds the text of each once in the source, and the tests that must notice it', () => {
    const place = createPlacing(root);
    const lost = MUTANTS.map((mutant) => ({ means: mutant.means, problem: place(mutant) }))
      .filter(({ problem }) => typeof problem === 'string')
      .map(({ means, problem }) => `${means}: ${problem}`);
    expect(lost).to.deep.equal([]);
  });

  it('names no mutant twice', () => {
    const changes = MUTANTS.map(({ find, replace, beside = '' }) => `${find}\n${replace}\n${beside}`);
    expect(new Set(changes).size).to.equal(changes.length);
    const sentences = MUTANTS.map(({ means }) => means);
    expect(new Set(sentences).size).to.equal(sentences.length);
  });
});
