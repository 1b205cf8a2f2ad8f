import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UsageError } from './failure.ts';

/** Never an argument: those show in the process list and in the shell's history. */
export async function readPassword(fromStdin: boolean): Promise<string> {
  if (fromStdin) return readAll();
  if (!process.stdin.isTTY)
    throw new UsageError('there is no terminal to ask on; pipe the password in and add --password-stdin');
  const password = await ask('Password: ');
  if ((await ask('Again: ')) !== password) throw new UsageError('the passwords differ');
  return password;
}

/** Up to the end; the line break that `echo` adds does not belong to it. */
async function readAll(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** Asks on standard error and shows nothing of the answer. */
function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nothing, terminal: true, historySize: 0 });
  return new Promise((resolve, reject) => {
    reader.on('line', (line) => {
      resolve(line);
      reader.close();
    });
    // Ctrl-C and Ctrl-D.
    reader.on('close', () => {
      process.stderr.write('\n');
      reject(new UsageError('no password was given'));
    });
  });
}
