import cluster, { type Worker } from 'node:cluster';
import type { Relay } from '../storage/relayed-messages.ts';

const KIND = 'gatehouse-message';

interface Envelope {
  kind: typeof KIND;
  topic: string;
  body: string;
}

function isEnvelope(message: unknown): message is Envelope {
  const { kind, topic, body } = (message ?? {}) as Partial<Record<keyof Envelope, unknown>>;
  return kind === KIND && typeof topic === 'string' && typeof body === 'string';
}

/** In a worker: the line to the other workers, through the primary process. */
export function workerRelay(): Relay {
  return {
    send({ topic, body }) {
      // A primary that is gone takes its workers with it; there is nobody left to tell.
      if (process.connected) process.send?.({ kind: KIND, topic, body } satisfies Envelope);
    },
    onMessage(handler) {
      process.on('message', (message) => {
        if (isEnvelope(message)) handler(message);
      });
    },
  };
}

/** In the primary: passes on what a worker says to all the others. */
export function relayBetweenWorkers(): void {
  cluster.on('message', (from: Worker, message: unknown) => {
    if (!isEnvelope(message)) return;
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker && worker.id !== from.id && worker.isConnected()) worker.send(message);
    }
  });
}
