import { boot } from '../boot.ts';
import type { Env } from '../config/env.ts';
import { refuseDemo, warnAboutConfig } from './before-serving.ts';
import { AFTERWARDS_SECONDS, onStop } from './stop.ts';

/** A process that runs the jobs and serves nothing. */
export async function runWorker(env: Env): Promise<void> {
  const services = await boot(env);
  warnAboutConfig(env, services);
  await refuseDemo(services);
  services.jobs.start();
  services.log.info('worker ready');
  // The jobs' timers do not keep a web process alive; here they are all there is.
  const alive = setInterval(() => {}, 60_000);
  onStop(services.log, services.config.drainSeconds + AFTERWARDS_SECONDS, async () => {
    clearInterval(alive);
    await services[Symbol.asyncDispose]();
  });
}
