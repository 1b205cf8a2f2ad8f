/**
 * One throwaway server: a temporary folder and a process in it, run as an ordinary system user even when the tests run
 * as root (PostgreSQL and MariaDB refuse root). Whatever still runs when the test process ends is killed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit } from '../at-exit.ts';
import { findBinary } from './find-binary.ts';

export interface ServerProcess {
  readonly pid: number;
  /** Ends the process and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
  /** Sends a signal and, unless it only pauses or resumes, waits for the end. The folder stays: see restart. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the process if it runs and starts it again on the same folder and port. */
  restart(): Promise<void>;
}

export interface ServerCommand {
  binary: string;
  args: string[];
  /** Rejects while the server does not answer yet. */
  isReady: () => Promise<void>;
  /** What asks this server for a quick, orderly end. */
  stopSignal: NodeJS.Signals;
  folder: ServerFolder;
}

export interface ServerFolder {
  path: string;
  /** Who runs the server and owns the folder; undefined: the current user. */
  user: { uid: number; gid: number } | undefined;
}

const START_SECONDS = 60;
const STOP_SECONDS = 20;

export function createServerFolder(kind: string, systemUser: string): ServerFolder {
  removeFoldersOfDeadProcesses(kind);
  const path = mkdtempSync(join(tmpdir(), `gatehouse-${kind}-${process.pid}-`));
  const user = unprivilegedUser(systemUser);
  if (user) chownSync(path, user.uid, user.gid);
  atExit(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return { path, user };
}

/** A copy of a file in the folder that nobody but its user can read, as servers want it of private keys. */
export function ownCopy(folder: ServerFolder, file: string): string {
  const copy = join(folder.path, basename(file));
  copyFileSync(file, copy);
  chmodSync(copy, 0o600);
  if (folder.user) chownSync(copy, folder.user.uid, folder.user.gid);
  return copy;
}

/** Runs a set-up command (initdb and the like) in the folder, as its user. */
export function runInFolder(folder: ServerFolder, binary: string, args: string[]): void {
  try {
    execFileSync(binary, args, { cwd: folder.path, ...folder.user, stdio: 'pipe', env: serverEnvironment(folder) });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    throw new Error(`${binary} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  }
}

export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  let child: ChildProcess;
  let output = '';
  let stopped = false;

  async function launch(): Promise<void> {
    output = '';
    child = spawnBound(command);
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    for (const deadline = Date.now() + START_SECONDS * 1000; ; ) {
      try {
        return await command.isReady();
      } catch (notReady) {
        if (failure || hasEnded(child))
          throw new Error(`${command.binary} did not start:\n${output}`, { cause: failure });
        if (Date.now() > deadline) {
          child.kill('SIGKILL');
          throw new Error(`${command.binary} did not get ready in ${START_SECONDS} s:\n${output}`, { cause: notReady });
        }
        await sleep(50);
      }
    }
  }
  function collect(chunk: Buffer): void {
    output = (output + chunk).slice(-10_000);
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    // A paused process sees no signal but SIGKILL before it resumes.
    child.kill('SIGCONT');
    const forced = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS * 1000);
    await ended;
    clearTimeout(forced);
  }

  atExit(() => child?.kill('SIGKILL'));
  await launch();

  return {
    get pid() {
      return child.pid ?? 0;
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      await end(command.stopSignal);
      rmSync(command.folder.path, { recursive: true, force: true, maxRetries: 5 });
    },
    async kill(signal) {
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') child.kill(signal);
      else await end(signal);
    },
    async restart() {
      await end(command.stopSignal);
      // After SIGKILL the workers of the old process may hold its data a moment longer: try again.
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await launch();
        } catch (error) {
          if (attempt === 5) throw error;
          await sleep(200 * attempt);
        }
      }
    },
  };
}

/** Runs the command so that it also ends when the test process is killed outright, where the system can do that. */
function spawnBound({ binary, args, folder }: ServerCommand): ChildProcess {
  const options = { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
  const environment = serverEnvironment(folder);
  const setpriv = process.platform === 'linux' ? findBinary('setpriv') : undefined;
  if (!setpriv) return spawn(binary, args, { ...options, ...folder.user, env: environment });
  const user = folder.user;
  const identity = user ? ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'] : [];
  return spawn(setpriv, [...identity, '--pdeathsig', 'KILL', '--', binary, ...args], { ...options, env: environment });
}

function serverEnvironment(folder: ServerFolder): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: folder.path, TMPDIR: folder.path, LC_ALL: 'C', TZ: 'UTC' };
}

function unprivilegedUser(name: string): ServerFolder['user'] {
  if (process.getuid?.() !== 0) return undefined;
  for (const candidate of [name, 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, candidate], { stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // No such user: the next candidate.
    }
  }
  return undefined;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/** A test process that was killed outright could not tidy up. */
function removeFoldersOfDeadProcesses(kind: string): void {
  const pattern = new RegExp(`^gatehouse-${kind}-(\\d+)-`);
  for (const name of readdirSync(tmpdir())) {
    const owner = pattern.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What a server of the tests shows when it speaks TLS; `caFile`: whose certificates of clients it believes. */
export interface ServerTls {
  certFile: string;
  keyFile: string;
  caFile: string;
}
