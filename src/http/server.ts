import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { monotonicMs } from '../kit/clock.ts';
import type { UnreadableRequest } from './unreadable-requests.ts';

export interface Listener {
  /**
   * Stops taking connections, lets every request under way finish, tells keep-alive clients to reconnect elsewhere, and
   * resolves when all are gone or `drainSeconds` have passed.
   * @param othersClosed resolves when no other process takes connections at the same address either, or after so many milliseconds
   */
  close(drainSeconds: number, othersClosed?: (waitMs: number) => Promise<void>): Promise<void>;
}

/** Slow or idle clients must not hold the server (security requirement FT13). Milliseconds. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5000,
};
const MAX_CONNECTIONS = 10_000;
/** While it closes, the door waits until nobody has come through it for this long. Milliseconds. */
const QUIET_MS = 50;
/** All in all closing takes no longer than this, however busy it is. Milliseconds. */
const CLOSING_MS = 1000;

/** Listens on every address of `hosts`; all but the first may be missing on the machine (no IPv6, for instance). */
export async function listen({
  handler,
  port,
  hosts,
  tls,
  maxHeaderBytes,
  onUnreadable,
}: {
  handler: RequestListener;
  port: number;
  hosts: readonly (string | undefined)[];
  tls: { certFile: string; keyFile: string } | null;
  /** Request line and headers together; Node's own 16 KiB are less than common proxies pass on. */
  maxHeaderBytes: number;
  /** Answers what Node cannot read. */
  onUnreadable: UnreadableRequest;
}): Promise<Listener> {
  let draining = false;
  let arrived = 0;
  let held: (() => void)[] | null = null;
  const polite: RequestListener = (req, res) => {
    if (draining) res.setHeader('Connection', 'close');
    if (held) held.push(() => handler(req, res));
    else handler(req, res);
  };

  /** Resolves when nobody is coming through the door, or at `end`. */
  async function quiet(end: number): Promise<void> {
    for (let seen = -1; arrived !== seen && monotonicMs() < end; ) {
      seen = arrived;
      await sleep(QUIET_MS);
      // A turn of the event loop takes one waiting connection, if there is any.
      await turn();
      await turn();
    }
  }

  const servers: Server[] = [];
  for (const [index, host] of hosts.entries()) {
    const server = tls
      ? createTlsServer(
          {
            ...TIMEOUTS,
            maxHeaderSize: maxHeaderBytes,
            cert: readFileSync(tls.certFile),
            key: readFileSync(tls.keyFile),
            minVersion: 'TLSv1.2',
            // Whoever has a certificate may show it, whoever signed it: only its thumbprint is used (RFC 8705 2.2).
            requestCert: true,
            rejectUnauthorized: false,
          },
          polite,
        )
      : createServer({ ...TIMEOUTS, maxHeaderSize: maxHeaderBytes }, polite);
    server.maxConnections = MAX_CONNECTIONS;
    server.on('clientError', onUnreadable);
    server.on('connection', () => {
      arrived += 1;
    });
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
    async close(drainSeconds, othersClosed) {
      const started = monotonicMs();
      const end = started + drainSeconds * 1000;
      // What is held is begun when half of the time is left.
      const latest = Math.min(started + CLOSING_MS, (started + end) / 2);
      draining = true;
      // A connection that nobody has taken yet when the listening socket is closed is reset, by the kernel or by the primary
      // of a cluster. So no request is begun for a moment: callers who wait for an answer do not come in again just then.
      held = [];
      await quiet((started + latest) / 2);
      // http.Server.close() would also cut idle connections, on which a request may just be arriving; this only stops listening.
      const closed = Promise.all(
        servers.map((server) => new Promise((resolve) => NetServer.prototype.close.call(server, resolve))),
      );
      await othersClosed?.(Math.max(0, latest - monotonicMs()));
      const waiting = held;
      held = null;
      for (const begin of waiting) begin();
      const closeIdle = (): void => {
        // After the turn that reads what has come: a connection with a request in the kernel's buffer is not idle.
        setImmediate(() => {
          for (const server of servers) server.closeIdleConnections();
        });
      };
      const idle = setTimeout(closeIdle, Math.min(1000, drainSeconds * 500));
      const sweep = setInterval(closeIdle, 1500);
      await Promise.race([closed, sleep(Math.max(0, end - monotonicMs()))]);
      clearTimeout(idle);
      clearInterval(sweep);
      for (const server of servers) server.closeAllConnections();
    },
  };
}
