import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atExit } from '../test/support/at-exit.ts';
import { cpuMs, pinned } from './cores.ts';
import { PASSWORD } from './fixtures.ts';
import { createHttpClient, due } from './http.ts';
import { createAccounts, withServices } from './prepare.ts';
import { type Databases, startGatehouse } from './servers.ts';
import { median } from './statistics.ts';
import { atMost, type Finding } from './table.ts';

const ROUNDS = 7;
const LOGINS = 60;
const WARM_UPS = 200;
/** Everything besides the password hash, in percent of the hash. */
const LIMIT = 15;

/** Signs in by JSON, in turn with bare password hashes in a process of their own on the same core. */
export async function measureLogin(databases: Databases): Promise<Finding> {
  const emails = await createAccounts(databases, LOGINS);
  const passwordHash = await withServices(databases, async ({ stores }) => {
    const account = await stores.accounts.findByEmail(emails[0] ?? '');
    return account?.passwordHash ?? '';
  });
  const gatehouse = await startGatehouse(databases);
  const hashes = await startHashes(passwordHash);
  const http = createHttpClient(gatehouse.port);
  let people = 0;
  async function signIn(count: number): Promise<number> {
    const before = cpuMs(gatehouse.pid);
    for (let turn = 0; turn < count; turn += 1) {
      people += 1;
      // Signing in is limited by address.
      const address = `198.19.${Math.floor(people / 250) % 250}.${(people % 250) + 1}`;
      const json = { email: emails[turn % emails.length], password: PASSWORD };
      due(await http.send('/v1/auth/login', { json, headers: { 'X-Forwarded-For': address } }), 200);
    }
    return (cpuMs(gatehouse.pid) - before) / count;
  }
  try {
    await signIn(WARM_UPS);
    await hashes.run(LOGINS);
    const rounds: { login: number; hash: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push({ hash: await hashes.run(LOGINS), login: await signIn(LOGINS) });
    }
    const rest = median(rounds.map(({ login, hash }) => (login / hash - 1) * 100));
    const [login, hash] = [median(rounds.map((round) => round.login)), median(rounds.map((round) => round.hash))];
    const name = `JSON login (${login.toFixed(2)} CPU ms, ${hash.toFixed(2)} of argon2), besides argon2`;
    return atMost(name, LIMIT, rest, ' %');
  } finally {
    http.close();
    hashes.stop();
    await gatehouse.stop();
  }
}

async function startHashes(passwordHash: string) {
  const file = fileURLToPath(new URL('argon2-process.ts', import.meta.url));
  const [program = '', ...args] = pinned([process.execPath, file]);
  const child: ChildProcess = spawn(program, args, {
    env: { PATH: process.env.PATH, BENCH_HASH: passwordHash },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  atExit(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  await once(lines, 'line');
  return {
    /** CPU milliseconds of one hash. */
    async run(count: number): Promise<number> {
      const line = once(lines, 'line') as Promise<[string]>;
      child.stdin?.write(`${count}\n`);
      return Number((await line)[0]) / count;
    },
    stop: () => void child.kill(),
  };
}
