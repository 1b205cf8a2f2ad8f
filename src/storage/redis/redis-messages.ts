import type { Redis } from 'ioredis';
import { newId } from '../../kit/ids.ts';
import type { Log } from '../../kit/log.ts';
import { createLocalMessages } from '../local-messages.ts';
import type { Messages } from '../stores.ts';
import type { RedisConnection } from './connection.ts';

const PREFIX = 'gh:m:';

/** Handlers of the own process are called without going through Redis, so they hear of a change in an outage too. */
export function createRedisMessages({ connection, log }: { connection: RedisConnection; log: Log }): Messages & {
  close(): void;
} {
  const local = createLocalMessages();
  const ownId = newId('process');
  let subscriber: Redis | undefined;

  function openSubscriber(): Redis {
    const opened = connection.openSubscriber();
    opened.on('message', (channel: string, message: string) => {
      const space = message.indexOf(' ');
      if (message.slice(0, space) === ownId) return;
      void local.publish(channel.slice(PREFIX.length), message.slice(space + 1));
    });
    return opened;
  }

  return {
    async publish(topic, body) {
      await local.publish(topic, body);
      try {
        await connection.run((redis) => redis.publish(PREFIX + topic, `${ownId} ${body}`));
      } catch (error) {
        log.warn({ err: error, topic }, 'a message to the other processes was lost');
      }
    },

    subscribe(topic, handler) {
      local.subscribe(topic, handler);
      subscriber ??= openSubscriber();
      // ioredis subscribes again by itself after every reconnection.
      subscriber
        .subscribe(PREFIX + topic)
        .catch((error: unknown) => log.warn({ err: error, topic }, 'no subscription'));
    },

    close() {
      subscriber?.disconnect();
    },
  };
}
