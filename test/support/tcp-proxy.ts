/** A TCP proxy between Gatehouse and one of its servers, to make the network between them fail. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface TcpProxy {
  readonly port: number;
  /** The number of open client connections. */
  connections(): number;
  /** The same URL, through the proxy. */
  through(url: string): string;
  /** Nothing gets through any more, nobody is told: connections stay open, bytes wait. */
  pause(): void;
  /** Every connection is reset and new ones are refused. */
  cut(): Promise<void>;
  /** Every piece of data arrives this much later, in each direction. */
  delay(milliseconds: number): void;
  /** The network works again; bytes that waited are delivered. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** @param port where it listens, for a target that must know this before it starts */
export async function startTcpProxy(targetPort: number, targetHost = '127.0.0.1', port?: number): Promise<TcpProxy> {
  port ??= await freePort();
  const sockets = new Set<Socket>();
  let clients = 0;
  let delayMs = 0;
  let gate = Promise.withResolvers<void>();
  gate.resolve();

  // One direction may end before the other.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    clients += 1;
    client.once('close', () => {
      clients -= 1;
    });
    const target = connect({ port: targetPort, host: targetHost, allowHalfOpen: true });
    forward(client, target);
    forward(target, client);
  });

  function forward(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    // One chain per direction keeps the order, whatever delay and gate did meanwhile.
    let tail = Promise.resolve();
    const inTurn = (action: () => void) => {
      const due = Date.now() + delayMs;
      tail = tail.then(async () => {
        const wait = due - Date.now();
        if (wait > 0) await sleep(wait);
        await gate.promise;
        if (!to.destroyed) action();
      });
    };
    from.on('data', (data) => inTurn(() => to.write(data)));
    from.on('end', () => inTurn(() => to.end()));
    // Every error is followed by close.
    from.on('error', () => {});
    from.on('close', (failed) => {
      sockets.delete(from);
      inTurn(() => (failed ? reset(to) : to.end()));
    });
  }
  function openGate(): void {
    gate.resolve();
  }
  const listen = () =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const closeListener = () => new Promise<void>((resolve) => server.close(() => resolve()));
  const resetAll = () => {
    for (const socket of sockets) reset(socket);
  };

  await listen();
  return {
    port,
    connections: () => clients,
    through(url) {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(port);
      return proxied.href;
    },
    pause() {
      openGate();
      gate = Promise.withResolvers<void>();
    },
    async cut() {
      const closed = server.listening ? closeListener() : undefined;
      resetAll();
      openGate();
      await closed;
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    async restore() {
      delayMs = 0;
      openGate();
      if (!server.listening) await listen();
    },
    async close() {
      const closed = server.listening ? closeListener() : undefined;
      resetAll();
      openGate();
      await closed;
    },
  };
}

/** A socket that is being shut down cannot be reset (libuv refuses), and its handle would stay open for good. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
