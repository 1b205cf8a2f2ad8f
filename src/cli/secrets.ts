import { join } from 'node:path';
import type { Command } from 'commander';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { count } from './text.ts';

export function addSecretsCommands(program: Command): void {
  const secrets = program.command('secrets').description('GATEHOUSE_SECRETS: what seals the keys in the database');
  secrets
    .command('rotate')
    .description('Seal every key in the database under the first secret, so that the others can be dropped')
    .action(answering(rotate));
}

const rotate = () =>
  withServices(async ({ config, stores, sealer, audit }) => {
    const [{ rotateSecrets }, { loadSecrets }, { readEnv }] = await Promise.all([
      import('../domain/data-keys/rotate-secrets.ts'),
      import('../config/secrets.ts'),
      import('../config/env.ts'),
    ]);
    const env = readEnv();
    const source = env.GATEHOUSE_SECRETS ? 'GATEHOUSE_SECRETS' : join(config.dataDirectory, 'secrets.json');
    const { ring } = loadSecrets(env, config, false);
    const done = await rotateSecrets({ dataKeys: stores.dataKeys, signingKeys: stores.signingKeys, sealer, audit });
    const next =
      ring.length === 1
        ? `There is no other secret in ${source}. To replace this one, put a new one in front of it, restart every process, and run this again.`
        : `Nothing in the database needs the other ${count(ring.length - 1, 'secret')} any more: drop what follows the first one from ${source} and restart every process.`;
    return {
      json: { resealed: done, droppableSecrets: ring.length - 1, source },
      text: `Sealed ${count(done.dataKeys, 'data key')} and ${count(done.signingKeys, 'signing key')} anew under the first secret.\n${next}`,
    };
  });
