/**
 * Mocha's spec reporter, which also
 * - writes `{ passed, failed, pending }` as JSON to the file GATEHOUSE_TEST_RESULT names, and
 * - lets no test be skipped unnoticed under GATEHOUSE_TEST_REQUIRE_ALL=1: a pending test counts as failed.
 */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { requireAll } from './requirements.ts';

export default class Reporter extends Mocha.reporters.Spec {
  /** A run that is interrupted, by a time limit for instance, has failed. */
  #interrupted = 1;

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      this.#interrupted = 0;
    });
    process.once('exit', () => this.#writeResult());
  }

  /** Mocha's last word: what is passed on becomes the exit code. */
  override done(failures: number, end: (failures: number) => void): void {
    const skipped = this.#skippedThatCount();
    if (skipped > 0) console.error(`  ${skipped} pending under GATEHOUSE_TEST_REQUIRE_ALL=1: counted as failed\n`);
    end(failures + skipped);
  }

  #skippedThatCount(): number {
    return requireAll ? this.stats.pending : 0;
  }

  #writeResult(): void {
    const file = process.env.GATEHOUSE_TEST_RESULT;
    if (!file) return;
    const { passes, failures, pending } = this.stats;
    const failed = failures + this.#skippedThatCount() + this.#interrupted;
    writeFileSync(file, `${JSON.stringify({ passed: passes, failed, pending })}\n`);
  }
}
