import { createServer } from 'node:http';
import packageJson from '../../package.json' with { type: 'json' };
import { createApp } from '../app.ts';
import { boot } from '../boot.ts';
import type { Env } from '../config/env.ts';
import { shareMetrics } from '../endpoints/ops/cluster-metrics.ts';
import { listen } from '../http/server.ts';
import { print } from '../kit/log.ts';
import { settleDemo, warnAboutConfig } from './before-serving.ts';
import { othersClosed } from './doors.ts';
import { workerRelay } from './relay.ts';
import { AFTERWARDS_SECONDS, onStop } from './stop.ts';
import { welcome } from './welcome.ts';

/** One web process: listens, answers, and ends in an orderly way when told. */
export async function runWeb(env: Env, { inCluster = false }: { inCluster?: boolean } = {}): Promise<void> {
  const services = await boot(env, inCluster ? { relay: workerRelay() } : {});
  const { config, log } = services;
  if (!inCluster) {
    warnAboutConfig(env, services);
    await settleDemo(services);
  }
  const app = createApp(services, { version: packageJson.version });

  if (inCluster) shareMetrics(app.metrics.registry);

  const hosts = config.host === 'localhost' ? ['127.0.0.1', '::1'] : [config.host];
  const listener = await listen({
    handler: app.handler,
    port: config.port,
    hosts,
    tls: config.tls,
    maxHeaderBytes: config.maxHeaderBytes,
    onUnreadable: app.onUnreadable,
  });
  // In a cluster the primary serves the metrics of all workers.
  const metrics =
    config.metrics.port !== null && !inCluster
      ? await listenMetrics(app.metrics.render, config.metrics.port, config.metrics.host)
      : null;
  services.usage.start();
  if (config.jobs === 'inline') services.jobs.start();
  log.info({ issuer: config.issuer, port: config.port }, 'ready');
  if (!config.production && !inCluster) print(welcome(config));

  onStop(log, config.drainSeconds + AFTERWARDS_SECONDS, async () => {
    app.drain();
    await listener.close(config.drainSeconds, inCluster ? othersClosed : undefined);
    app.stop();
    metrics?.close();
    await services[Symbol.asyncDispose]();
  });
}

export async function listenMetrics(render: () => Promise<{ type: string; body: string }>, port: number, host: string) {
  const server = createServer((req, res) => {
    if (req.url !== '/metrics') return void res.writeHead(404).end();
    render().then(
      ({ type, body }) => res.writeHead(200, { 'Content-Type': type }).end(body),
      () => res.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return { close: () => void server.close().closeAllConnections() };
}
