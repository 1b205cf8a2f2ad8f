/**
 * The workers of a cluster close their doors together. One that answered as soon as its own is closed would send its callers
 * to the others at the very moment these close theirs, and the primary resets what it has not handed to anyone by then.
 */
import cluster from 'node:cluster';

const CLOSED = 'gatehouse-door-closed';
const ALL_CLOSED = 'gatehouse-all-doors-closed';

/** In a worker whose door is closed: resolves when those of all the others are, or after `waitMs`: one that hangs keeps nobody waiting. */
export async function othersClosed(waitMs: number): Promise<void> {
  // A primary that is gone takes its workers with it; there is nobody left to wait for.
  if (!process.connected) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, waitMs);
    function done(): void {
      clearTimeout(timer);
      process.off('message', hear);
      resolve();
    }
    function hear(message: unknown): void {
      if (message === ALL_CLOSED) done();
    }
    process.on('message', hear);
    process.send?.(CLOSED, () => {});
  });
}

/** In the primary: tells those that wait, as soon as nobody's door is open. A worker told to end alone does not wait. */
export function closeDoorsTogether({ stopping }: { stopping: () => boolean }): void {
  const closed = new Set<number>();
  const tell = (): void => {
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
    if (stopping() && workers.some((worker) => worker && !closed.has(worker.id))) return;
    for (const worker of workers) if (worker && closed.has(worker.id)) worker.send(ALL_CLOSED, () => {});
  };
  cluster.on('message', (worker, message) => {
    if (message !== CLOSED) return;
    closed.add(worker.id);
    tell();
  });
  cluster.on('exit', tell);
}
