import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Gatehouse, startGatehouse } from '../support/processes.ts';

/** Takes no byte: every write fails with ENOSPC. */
const FULL_DISK = '/dev/full';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

async function ask(gatehouse: Gatehouse, count: number): Promise<number[]> {
  const statuses: number[] = [];
  const caller = async (): Promise<void> => {
    while (count > 0) {
      count -= 1;
      const answer = await fetch(`http://localhost:${gatehouse.port}/nothing-here?${'x'.repeat(400)}`, {
        signal: AbortSignal.timeout(10_000),
      });
      await answer.body?.cancel();
      statuses.push(answer.status);
    }
  };
  await Promise.all(Array.from({ length: 20 }, caller));
  return statuses;
}

async function droppedLines(gatehouse: Gatehouse): Promise<number> {
  const text = await (await fetch(`http://localhost:${gatehouse.port}/metrics`)).text();
  return Number(/^gatehouse_log_lines_dropped_total (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}

describe('a log that cannot be written', () => {
  for (const workers of ['1', '2']) {
    const env = { WEB_CONCURRENCY: workers, LOG_LEVEL: 'debug' };

    it(`on a full disk: every request is answered, and SIGTERM ends the process, with ${workers} worker(s)`, async () => {
      const full = openSync(FULL_DISK, 'w');
      const gatehouse = await startGatehouse({ env, stdout: full });
      closeSync(full);
      const statuses = await ask(gatehouse, workers === '1' ? 6000 : 1000);
      expect(new Set(statuses)).to.deep.equal(new Set([404]));
      if (workers === '1') expect(await droppedLines(gatehouse)).to.be.greaterThan(0);
      const started = performance.now();
      expect(await gatehouse.stop()).to.equal(0);
      expect(performance.now() - started).to.be.lessThan(10_000);
    });

    it(`with a reader that hangs: every request is answered, and SIGTERM ends the process, with ${workers} worker(s)`, async () => {
      const gatehouse = await startGatehouse({ env, stdout: 'unread' });
      const statuses = await ask(gatehouse, 2500);
      expect(new Set(statuses)).to.deep.equal(new Set([404]));
      const started = performance.now();
      expect(await gatehouse.stop()).to.equal(0);
      expect(performance.now() - started).to.be.lessThan(10_000);
    });
  }

  it('the command line says that standard output is full, in one sentence, and fails', () => {
    const full = openSync(FULL_DISK, 'w');
    const { status, stderr } = spawnSync(process.execPath, ['src/cli.ts', 'config', 'check'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect(status).to.equal(1);
    expect(stderr).to.equal('error: standard output cannot be written: the disk is full\n');
  });

  it('a reader that is slow still gets all that a command prints', () => {
    const text = execFileSync('sh', ['-c', `"${process.execPath}" src/cli.ts --json config check | (sleep 3; cat)`], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(() => JSON.parse(text)).not.to.throw();
  });
});
