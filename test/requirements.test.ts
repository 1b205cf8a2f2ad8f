import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

/** Every requirement that has to have a row, tested or with the reason why not. */
const REQUIRED = {
  AZ: 25,
  TK: 26,
  MD: 4,
  RG: 2,
  RV: 1,
  IN: 1,
  LO: 2,
  PX: 1,
  LG: 1,
  JW: 7,
  DP: 6,
  AK: 13,
  VF: 3,
  RL: 7,
  VA: 7,
};
const ABSENT = 'not in this version';

interface Row {
  id: string;
  file: string;
  test: string;
}

const rows = readFileSync(join(import.meta.dirname, 'requirements.md'), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, id = '']) => /^[A-Z]{2}\d\d$/.test(id))
  .map(([, id = '', , file = '', test = '']): Row => ({ id, file, test }));

describe('the table of requirements', () => {
  it('has a row for every requirement', () => {
    const known = new Set(rows.map(({ id }) => id));
    const wanted = Object.entries(REQUIRED).flatMap(([group, count]) =>
      Array.from({ length: count }, (_, i) => `${group}${String(i + 1).padStart(2, '0')}`),
    );
    expect(wanted.filter((id) => !known.has(id))).to.deep.equal([]);
  });

  it('names files and tests that exist', () => {
    const tested = rows.filter(({ file }) => file !== ABSENT);
    expect(tested.length).to.be.greaterThan(100);
    const missing = tested.filter(({ file, test }) => {
      const path = join(import.meta.dirname, file);
      return test === '' || !existsSync(path) || !readFileSync(path, 'utf8').includes(test);
    });
    expect(missing).to.deep.equal([]);
  });

  it('says why, where there is no test', () => {
    const reasons = rows.filter(({ file }) => file === ABSENT).map(({ test }) => test);
    expect(reasons.length).to.be.greaterThan(0);
    for (const reason of reasons) expect(reason.length).to.be.greaterThan(5);
  });
});
