import type { Command } from 'commander';
import { nextChange } from '../domain/signing-keys/next-change.ts';
import type { Services } from '../services.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { iso, table, time } from './text.ts';

export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('signing keys: they rotate by themselves');
  keys.command('list').description('Where each key is and what comes next').action(answering(list));
  keys
    .command('rotate')
    .description('Rotate before the schedule: the published keys take over as soon as they were published long enough')
    .option('--now', 'take over at once: for keys that others may know')
    .action(answering(rotate));
}

const list = () =>
  withServices(async (services) => {
    const keys = await keysOf(services);
    return { json: keys.map(record), text: listing(keys) };
  });

const rotate = ({ now = false }: { now?: boolean }) =>
  withServices(async (services) => {
    await services.rotation.rotate({ now });
    const keys = await keysOf(services);
    const done = now
      ? 'The published keys sign from now on. What the retired keys signed still verifies until they are removed.'
      : 'The active keys retire as soon as their successors were published long enough.';
    return { json: keys.map(record), text: `${done}\n\n${listing(keys)}` };
  });

type ListedKey = Awaited<ReturnType<typeof keysOf>>[number];

async function keysOf({ stores, config }: Services) {
  const keys = await stores.signingKeys.list();
  const place = (state: string): number => ['active', 'published', 'retired'].indexOf(state);
  return keys
    .map((key) => ({ ...key, next: nextChange(key, keys, config.keys) }))
    .sort(
      (a, b) =>
        a.algorithm.localeCompare(b.algorithm) || place(a.state) - place(b.state) || b.stateSince - a.stateSince,
    );
}

const record = ({ kid, algorithm, state, createdAt, stateSince, next }: ListedKey) => ({
  kid,
  algorithm,
  state,
  createdAt: iso(createdAt),
  since: iso(stateSince),
  next: { state: next.to, at: iso(next.at) },
});

const VERBS = { active: 'signs', retired: 'retires', removed: 'is removed' } as const;

const listing = (keys: readonly ListedKey[]): string =>
  table(
    ['algorithm', 'state', 'since', 'next', 'kid'],
    keys.map(({ algorithm, state, stateSince, next, kid }) => [
      algorithm,
      state,
      time(stateSince),
      `${VERBS[next.to]} ${time(next.at)}`,
      kid,
    ]),
    'There are no signing keys.',
  );
