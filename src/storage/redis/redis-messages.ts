import type { Redis } from 'ioredis';
import { newId } from '../../kit/ids.ts';
import type { Log } from '../../kit/log.ts';
import { outsideBudget } from '../../kit/request-budget.ts';
import { createLocalMessages } from '../local-messages.ts';
import type { Messages } from '../stores.ts';
import type { Unreadable } from '../unreadable.ts';
import type { RedisConnection } from './connection.ts';
import { OLDER_CHANNELS } from './names.ts';

/** Who sent it, and what. Anybody may say anything on a channel. */
const MESSAGE = /^(peer_|process_)(\w{1,64}) (.{0,65536})$/s;
/** Processes of the older version call themselves `process_…`. */
const PEER = 'peer_';

/** Handlers of the own process are called without going through Redis, so they hear of a change in an outage too. */
export function createRedisMessages({
  connection,
  log,
  unreadable,
}: {
  connection: RedisConnection;
  log: Log;
  unreadable: Unreadable;
}): Messages & { close(): void } {
  const local = createLocalMessages({ log });
  const ownId = newId('peer');
  /** Channel to topic. */
  const topics = new Map<string, string>();
  let subscriber: Redis | undefined;

  function openSubscriber(): Redis {
    const opened = connection.openSubscriber();
    opened.on('message', (channel: string, message: string) => {
      const topic = topics.get(channel);
      const [, kind, rest, body] = MESSAGE.exec(message) ?? [];
      if (topic === undefined || body === undefined) {
        unreadable.note('message', 'redis');
        return;
      }
      if (`${kind}${rest}` === ownId) return;
      // Peers say everything on the channel of their deployment as well, and what those of another one say is not for us.
      if (kind === PEER && connection.names.withOlder && channel.startsWith(OLDER_CHANNELS)) return;
      void local.publish(topic, body);
    });
    return opened;
  }

  const channelsOf = (topic: string): string[] => {
    const { channels, withOlder } = connection.names;
    return [channels + topic, ...(withOlder ? [OLDER_CHANNELS + topic] : [])];
  };

  return {
    async publish(topic, body) {
      await local.publish(topic, body);
      try {
        // However late: what it tells of is done.
        await outsideBudget(() =>
          connection.run((redis) =>
            Promise.all(channelsOf(topic).map((channel) => redis.publish(channel, `${ownId} ${body}`))),
          ),
        );
      } catch (error) {
        log.warn({ err: error, topic }, 'a message to the other processes was lost');
      }
    },

    subscribe(topic, handler) {
      local.subscribe(topic, handler);
      subscriber ??= openSubscriber();
      const channels = channelsOf(topic);
      for (const channel of channels) topics.set(channel, topic);
      // ioredis subscribes again by itself after every reconnection.
      subscriber.subscribe(...channels).catch((error: unknown) => log.warn({ err: error, topic }, 'no subscription'));
    },

    close() {
      subscriber?.disconnect();
    },
  };
}
