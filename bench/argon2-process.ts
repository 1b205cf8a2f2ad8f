/** Password hashes and nothing else: each line of standard input is a number of them, answered with their CPU milliseconds. */
import { createInterface } from 'node:readline';
import { hash, verify } from '@node-rs/argon2';
import { PASSWORD } from './fixtures.ts';

const stored = process.env.BENCH_HASH ?? (await hash(PASSWORD));

process.stdout.write('ready\n');
for await (const line of createInterface(process.stdin)) {
  const before = process.cpuUsage();
  for (let turn = Number(line); turn > 0; turn -= 1) await verify(stored, PASSWORD);
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${(user + system) / 1000}\n`);
}
