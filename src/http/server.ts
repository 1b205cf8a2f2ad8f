import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Listener {
  /**
   * Stops taking connections, lets every request under way finish, tells keep-alive clients to reconnect elsewhere, and
   * resolves when all are gone or `drainSeconds` have passed.
   */
  close(drainSeconds: number): Promise<void>;
}

/** Slow or idle clients must not hold the server (security requirement FT13). Milliseconds. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5000,
};
const MAX_CONNECTIONS = 10_000;

/** Listens on every address of `hosts`; all but the first may be missing on the machine (no IPv6, for instance). */
export async function listen({
  handler,
  port,
  hosts,
  tls,
}: {
  handler: RequestListener;
  port: number;
  hosts: readonly (string | undefined)[];
  tls: { certFile: string; keyFile: string } | null;
}): Promise<Listener> {
  let draining = false;
  const polite: RequestListener = (req, res) => {
    if (draining) res.setHeader('Connection', 'close');
    handler(req, res);
  };
  const servers: Server[] = [];
  for (const [index, host] of hosts.entries()) {
    const server = tls
      ? createTlsServer(
          {
            ...TIMEOUTS,
            cert: readFileSync(tls.certFile),
            key: readFileSync(tls.keyFile),
            minVersion: 'TLSv1.2',
            // Whoever has a certificate may show it, whoever signed it: only its thumbprint is used (RFC 8705 2.2).
            requestCert: true,
            rejectUnauthorized: false,
          },
          polite,
        )
      : createServer(TIMEOUTS, polite);
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
      });
      servers.push(server);
    } catch (error) {
      if (index === 0 || !['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }

  return {
    async close(drainSeconds) {
      draining = true;
      // http.Server.close() would also cut idle connections, on which a request may just be arriving; this only stops listening.
      const closed = Promise.all(
        servers.map((server) => new Promise((resolve) => NetServer.prototype.close.call(server, resolve))),
      );
      const closeIdle = (): void => {
        for (const server of servers) server.closeIdleConnections();
      };
      const idle = setTimeout(closeIdle, Math.min(1000, drainSeconds * 500));
      const sweep = setInterval(closeIdle, 1500);
      await Promise.race([closed, sleep(drainSeconds * 1000)]);
      clearTimeout(idle);
      clearInterval(sweep);
      for (const server of servers) server.closeAllConnections();
    },
  };
}
