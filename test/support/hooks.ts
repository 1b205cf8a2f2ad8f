/** Loaded by mocha before every run: see .mocharc.cjs. */
import { skippedParts, stopParts } from './requirements.ts';

const LINGER_SECONDS = 10;

export async function mochaGlobalTeardown(): Promise<void> {
  await stopParts();
  const skipped = skippedParts();
  if (skipped) console.log(`\n  ${skipped}\n`);
  failIfSomethingLingers();
}

/** A forgotten server, connection or timer would keep the process alive for ever: say so and fail instead. */
function failIfSomethingLingers(): void {
  const timer = setTimeout(() => {
    const resources = process.getActiveResourcesInfo().filter((name) => name !== 'TTYWrap' && name !== 'PipeWrap');
    console.error(`The tests are over, but something they opened is not closed: ${resources.join(', ')}`);
    // Registered last, so that it runs after mocha has set its own exit code.
    process.on('exit', () => {
      process.exitCode ||= 1;
    });
    process.exit();
  }, LINGER_SECONDS * 1000);
  timer.unref();
}
