/**
 * What must happen however the test process ends: normally, by process.exit, by an uncaught error or by a signal.
 * The actions are synchronous and run in reverse order of registration.
 */
import { constants } from 'node:os';

const actions: (() => void)[] = [];

export function atExit(action: () => void): void {
  if (actions.length === 0) listen();
  actions.push(action);
}

function listen(): void {
  process.on('exit', () => {
    for (const action of actions.reverse()) {
      try {
        action();
      } catch (error) {
        console.error(error);
      }
    }
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}
