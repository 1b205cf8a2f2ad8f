import type { Log } from '../kit/log.ts';
import { createLocalMessages } from './local-messages.ts';
import type { Messages } from './stores.ts';

/** A line between the processes of one machine. What one sends, all others get. */
export interface Relay {
  send(message: { topic: string; body: string }): void;
  onMessage(handler: (message: { topic: string; body: string }) => void): void;
}

/** Messages between the workers of a cluster that has no Redis. */
export function createRelayedMessages({ relay, log }: { relay: Relay; log: Log }): Messages {
  const local = createLocalMessages({ log });
  relay.onMessage(({ topic, body }) => void local.publish(topic, body));
  return {
    async publish(topic, body) {
      await local.publish(topic, body);
      relay.send({ topic, body });
    },
    subscribe: local.subscribe,
  };
}
