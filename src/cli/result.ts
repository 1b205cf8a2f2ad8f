import type { Command } from 'commander';

/** What a command has to say; which form goes out is decided in one place. */
export interface Result {
  /** For --json: plain records, times as ISO 8601. Never a digest or a sealed value. */
  json: unknown;
  text: string;
  /** Hints for whoever is watching; they go to standard error. */
  notes?: readonly string[];
  /** False makes the exit code 1 although the command did its work, for instance when a check found something. */
  ok?: boolean;
}

/** Turns what a command does into a commander action. `handler` gets its own options, then its arguments. */
export function answering<Options>(
  handler: (options: Options, ...args: string[]) => Promise<Result>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    // Commander passes the arguments, the options and the command.
    const command = given.at(-1) as Command;
    const result = await handler(command.opts() as Options, ...(given.slice(0, -2) as string[]));
    const { json } = command.optsWithGlobals<{ json?: boolean }>();
    process.stdout.write(json ? `${JSON.stringify(result.json, null, 2)}\n` : ended(result.text));
    for (const note of result.notes ?? []) process.stderr.write(ended(note));
    if (result.ok === false) process.exitCode = 1;
  };
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
