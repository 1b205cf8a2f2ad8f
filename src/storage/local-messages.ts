import { EventEmitter } from 'node:events';
import type { Log } from '../kit/log.ts';
import type { Messages } from './stores.ts';

/** For a single process, and the part of a Redis subscription that is inside the process. */
export function createLocalMessages({ log }: { log: Log }): Messages {
  const emitter = new EventEmitter().setMaxListeners(0);
  return {
    async publish(topic, body) {
      // Handlers run apart from the publisher, as they do when the message came over the network.
      setImmediate(() => emitter.emit(`:${topic}`, body));
    },
    subscribe(topic, handler) {
      emitter.on(`:${topic}`, (body: string) => {
        try {
          handler(body);
        } catch (err) {
          // Nobody is there to catch it, and it would end the process.
          log.error({ err, topic }, 'a message was not handled');
        }
      });
    },
  };
}
