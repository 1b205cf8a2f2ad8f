import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { DATABASES, type Database } from './faults/fault.ts';

export interface Options {
  minutes: number;
  databases: readonly Database[];
  seed: number;
  /** Texts of which the name of a fault must have one; empty: every fault. */
  faults: readonly string[];
}

export const USAGE = 'npm run robustness -- [--minutes N] [--database NAME]... [--seed N] [--fault TEXT]...';
const DEFAULT_MINUTES = '10';

/** Throws an error whose message is for the person who typed it. @param installed the databases of this machine */
export function readOptions(args: readonly string[], installed: readonly Database[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: DEFAULT_MINUTES },
        database: { type: 'string', multiple: true, default: [...installed] },
        seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
        fault: { type: 'string', multiple: true, default: [] },
      },
    });
    const databases = values.database.map((name) => {
      const database = DATABASES.find((known) => known === name);
      if (!database) throw new Error(`--database ${name}: there are ${DATABASES.join(', ')}`);
      if (!installed.includes(database)) throw new Error(`--database ${name}: it is not installed here`);
      return database;
    });
    const minutes = positive('minutes', values.minutes);
    return { minutes, databases, seed: positive('seed', values.seed), faults: values.fault };
  } catch (error) {
    throw new Error(`${(error as Error).message}\nusage: ${USAGE}`, { cause: error });
  }
}

/** The arguments that play the same again. */
export function replayOf({ seed, minutes, databases, faults }: Options): string {
  const chosen = databases.map((name) => `--database ${name}`);
  const narrowed = faults.map((text) => `--fault ${JSON.stringify(text)}`);
  return [`--seed ${seed}`, `--minutes ${minutes}`, ...chosen, ...narrowed].join(' ');
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || value === Number.POSITIVE_INFINITY) throw new Error(`--${name} ${text}: give a number above 0`);
  return value;
}
