import cluster from 'node:cluster';
import { once } from 'node:events';
import { boot, configure } from '../boot.ts';
import type { Env } from '../config/env.ts';
import { clusterMetrics } from '../endpoints/ops/cluster-metrics.ts';
import { createLog, endProcess, print } from '../kit/log.ts';
import { settleDemo, warnAboutConfig } from './before-serving.ts';
import { closeDoorsTogether } from './doors.ts';
import { relayBetweenWorkers } from './relay.ts';
import { AFTERWARDS_SECONDS, onStop } from './stop.ts';
import { listenMetrics, runWeb } from './web.ts';
import { welcome } from './welcome.ts';

/**
 * WEB_CONCURRENCY > 1: the primary prepares the database once, starts the workers, replaces one that dies, and passes signals
 * on. False when there is nothing to share and the caller should serve by itself.
 */
export async function runCluster(env: Env): Promise<boolean> {
  const { config } = await configure(env);
  if (config.workers === 1) return false;
  if (cluster.isWorker) {
    await runWeb(env, { inCluster: true });
    return true;
  }
  const log = createLog({ level: config.logLevel });
  await using services = await boot(env, { log });
  warnAboutConfig(env, services);
  await settleDemo(services);

  let stopping = false;
  let serving = false;
  cluster.on('listening', () => {
    if (serving) return;
    serving = true;
    if (!config.production) print(welcome(config));
  });
  cluster.on('exit', (worker, code) => {
    if (stopping) return;
    if (!serving) {
      // None has ever served: the reason, which it has printed, will not go away by trying again.
      stopping = true;
      process.exitCode = 1;
      for (const other of Object.values(cluster.workers ?? {})) other?.kill();
      metrics?.close();
      cluster.disconnect(() => endProcess(1));
      return;
    }
    log.error({ worker: worker.id, code }, 'worker ended; starting another');
    // Not at once: a worker that cannot start must not be restarted in a tight loop.
    setTimeout(() => !stopping && cluster.fork(), 1000);
  });
  const metrics =
    config.metrics.port === null ? null : await listenMetrics(clusterMetrics, config.metrics.port, config.metrics.host);
  relayBetweenWorkers();
  closeDoorsTogether({ stopping: () => stopping });
  for (let i = 0; i < config.workers; i += 1) cluster.fork();

  // One that hangs does not even end itself.
  const patience = config.drainSeconds + AFTERWARDS_SECONDS + 1;
  onStop(log, patience + AFTERWARDS_SECONDS, async () => {
    stopping = true;
    const workers = Object.values(cluster.workers ?? {}).flatMap((worker) =>
      worker && !worker.isDead() ? [worker] : [],
    );
    const gone = workers.map(async (worker) => {
      const [code] = (await once(worker, 'exit')) as [number | null];
      // One that could not stop in order has said why. Null: one that was still starting, or is killed below.
      if (code) process.exitCode = 1;
    });
    for (const worker of workers) worker.process.kill('SIGTERM');
    const late = setTimeout(() => {
      log.error('a worker did not stop in time and is killed');
      process.exitCode = 1;
      for (const worker of workers) worker.process.kill('SIGKILL');
    }, patience * 1000);
    await Promise.all(gone);
    clearTimeout(late);
    metrics?.close();
  });
  return true;
}
