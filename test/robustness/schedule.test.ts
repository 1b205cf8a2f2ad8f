import { expect } from 'chai';
import { FAULTS } from './faults/all.ts';
import { DATABASES, type Database, type Place } from './faults/fault.ts';
import { readOptions, replayOf } from './options.ts';
import { describeRound, drawSchedule, durationOf } from './schedule.ts';

const place = (database: Database, more: Partial<Place> = {}): Place => ({
  database,
  redis: database === 'postgres',
  disks: true,
  clockLibrary: '/lib/libfaketime.so.1',
  ...more,
});
const draw = (seed: number, where: Place, seconds: number) =>
  drawSchedule({ seed, place: where, seconds, faults: FAULTS });
const textOf = (seed: number, where: Place, seconds = 300): string[] =>
  draw(seed, where, seconds).rounds.map(describeRound);

describe('the schedule of the robustness suite', () => {
  for (const database of DATABASES) {
    it(`is the same for the same seed and another for another, on ${database}`, () => {
      expect(textOf(7, place(database))).to.deep.equal(textOf(7, place(database)));
      expect(textOf(7, place(database))).not.to.deep.equal(textOf(8, place(database)));
    });

    it(`has every fault before any comes again, on ${database}`, () => {
      const { rounds } = draw(3, place(database), 3_600);
      const concerned = FAULTS.filter((fault) => fault.concerns(place(database)));
      const first = rounds.slice(0, concerned.length).map(({ faults }) => faults[0]?.fault.name ?? '');
      expect([...first].sort()).to.deep.equal(concerned.map(({ name }) => name).sort());
    });

    it(`keeps to its time, and has one fault at least, on ${database}`, () => {
      const sum = draw(5, place(database), 120).rounds.reduce((total, round) => total + durationOf(round), 0);
      expect(sum).to.be.within(60_000, 120_000);
      expect(draw(5, place(database), 1).rounds).to.have.length(1);
    });
  }

  it('a longer run begins as a shorter one of the same seed', () => {
    const short = textOf(11, place('postgres'), 60);
    expect(textOf(11, place('postgres'), 600).slice(0, short.length)).to.deep.equal(short);
  });

  it('has no fault of stores that are not there', () => {
    expect(textOf(1, place('sqlite'), 3_600).join()).not.to.match(/database:|Redis/);
    expect(textOf(1, place('mariadb'), 3_600).join()).not.to.match(/SQLite|Redis/);
    expect(textOf(1, place('postgres'), 3_600).join()).to.match(/Redis/);
  });

  it('says what it must leave out, and why', () => {
    const { leftOut, rounds } = draw(1, place('sqlite', { disks: false, clockLibrary: null }), 3_600);
    expect(leftOut.join('; '))
      .to.match(/disk full: only root/)
      .and.to.match(/clock of b: libfaketime is not installed/);
    expect(rounds.map(describeRound).join()).not.to.match(/disk full|clock/);
  });
});

describe('the options of the robustness suite', () => {
  const installed: Database[] = ['sqlite', 'postgres'];

  it('play a run again from what it printed', () => {
    const options = readOptions(['--minutes', '0.5', '--database', 'postgres', '--fault', 'SIGKILL of'], installed);
    const printed = replayOf(options).match(/"[^"]*"|\S+/g) ?? [];
    expect(
      readOptions(
        printed.map((word) => word.replaceAll('"', '')),
        installed,
      ),
    ).to.deep.equal(options);
  });

  it('take every installed database, and a seed by chance', () => {
    const { databases, minutes, seed } = readOptions([], installed);
    expect([databases, minutes]).to.deep.equal([installed, 10]);
    expect(seed).to.be.greaterThan(0);
  });

  for (const [wrong, said] of [
    [['--minutes', 'soon'], /--minutes soon: give a number above 0/],
    [['--minutes', '0'], /above 0/],
    [['--seed', '-1'], /seed/],
    [['--database', 'oracle'], /--database oracle: there are sqlite, postgres, mariadb/],
    [['--database', 'mariadb'], /not installed here/],
    [['--speed', '1'], /--speed[\s\S]*usage:/],
  ] as const) {
    it(`refuse ${wrong.join(' ')} in a sentence`, () => {
      expect(() => readOptions([...wrong], installed)).to.throw(said);
    });
  }
});
