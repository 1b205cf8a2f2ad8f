/** The thread of `startTcpProxy`: it does one thing, so that what it delays is what it was told to delay. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const { target, port } = workerData as { target: { host: string; port: number }; port: number };

const sockets = new Set<Socket>();
let clients = 0;
let delayMs = 0;
let gate = Promise.withResolvers<void>();
gate.resolve();

// One direction may end before the other.
const listener = createServer({ allowHalfOpen: true }, (client) => {
  clients += 1;
  client.once('close', () => {
    clients -= 1;
  });
  const server = connect({ ...target, allowHalfOpen: true });
  forward(client, server);
  forward(server, client);
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
  new Promise<void>((resolve, reject) => listener.once('error', reject).listen(port, '127.0.0.1', resolve));
const closeListener = () => new Promise<void>((resolve) => listener.close(() => resolve()));
const resetAll = () => {
  for (const socket of sockets) reset(socket);
};

async function close(): Promise<void> {
  const closed = listener.listening ? closeListener() : undefined;
  resetAll();
  openGate();
  await closed;
}

const actions = {
  connections: () => clients,
  pause() {
    openGate();
    gate = Promise.withResolvers<void>();
  },
  cut: close,
  delay(milliseconds: number) {
    delayMs = milliseconds;
  },
  async restore() {
    delayMs = 0;
    openGate();
    if (!listener.listening) await listen();
  },
};
export type Action = keyof typeof actions;

await listen();
parentPort?.postMessage({});
parentPort?.on('message', async ({ id, action, argument }: { id: number; action: Action; argument: number }) => {
  parentPort?.postMessage({ id, result: await actions[action](argument) });
});

/** A socket that is being shut down cannot be reset (libuv refuses), and its handle would stay open for good. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
