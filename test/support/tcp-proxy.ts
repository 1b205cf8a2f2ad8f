/** A TCP proxy between Gatehouse and one of its servers, to make the network between them fail. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { freePort } from './free-port.ts';
import type { Action } from './tcp-proxy-thread.ts';

export interface TcpProxy {
  readonly port: number;
  /** The number of open client connections. */
  connections(): Promise<number>;
  /** The same URL, through the proxy. */
  through(url: string): string;
  /** Nothing gets through any more, nobody is told: connections stay open, bytes wait. */
  pause(): Promise<void>;
  /** Every connection is reset and new ones are refused. */
  cut(): Promise<void>;
  /** Every piece of data arrives this much later, in each direction. */
  delay(milliseconds: number): Promise<void>;
  /** The network works again; bytes that waited are delivered. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/**
 * In a thread of its own: what a busy test does must not make its network slow.
 * @param port where it listens, for a target that must know this before it starts
 */
export async function startTcpProxy(targetPort: number, targetHost = '127.0.0.1', port?: number): Promise<TcpProxy> {
  port ??= await freePort();
  const workerData = { target: { host: targetHost, port: targetPort }, port };
  const thread = new Worker(new URL('./tcp-proxy-thread.ts', import.meta.url), { workerData });
  await once(thread, 'message');
  // A test that forgets it must not keep the run alive.
  thread.unref();

  let asked = 0;
  const open = new Map<number, (result: unknown) => void>();
  thread.on('message', ({ id, result }: { id: number; result: unknown }) => open.get(id)?.(result));
  async function act<R = void>(action: Action, argument?: number): Promise<R> {
    asked += 1;
    const id = asked;
    thread.ref();
    const result = await new Promise((resolve) => {
      open.set(id, resolve);
      thread.postMessage({ id, action, argument });
    });
    open.delete(id);
    if (open.size === 0) thread.unref();
    return result as R;
  }

  return {
    port,
    connections: () => act<number>('connections'),
    through(url) {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(port);
      return proxied.href;
    },
    pause: () => act('pause'),
    cut: () => act('cut'),
    delay: (milliseconds) => act('delay', milliseconds),
    restore: () => act('restore'),
    async close() {
      await act('cut');
      await thread.terminate();
    },
  };
}
