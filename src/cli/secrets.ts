import { join } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from './failure.ts';
import { repeated } from './input.ts';
import { answering } from './result.ts';
import { withServices } from './services.ts';
import { count } from './text.ts';

export function addSecretsCommands(program: Command): void {
  const secrets = program.command('secrets').description('GATEHOUSE_SECRETS: what seals the keys in the database');
  secrets
    .command('rotate')
    .description('Seal every key in the database under the first secret, so that the others can be dropped')
    .action(answering(rotate));
  secrets
    .command('add-api-key-pepper')
    .description('Digest API keys under a new key from now on; each key follows at its next use')
    .action(answering(addApiKeyPepper));
  secrets
    .command('authenticate-rows')
    .description('After an update: let no row that authorizes count without a MAC that only the secrets can make')
    .option('--trust <id>', 'Put a MAC on this row as it is now, after a change of your own by SQL', repeated)
    .option('--reopen', 'Let rows without a MAC count again, to go back to a version that makes none')
    .action(answering(authenticate));
}

const rotate = () =>
  withServices(async ({ config, stores, sealer, audit }) => {
    const [{ rotateSecrets }, { PROVIDER_KEY_PURPOSE }, { createWrappingRing }, { loadSecrets }, { readEnv }] =
      await Promise.all([
        import('../domain/data-keys/rotate-secrets.ts'),
        import('../domain/provider-keys/envelope.ts'),
        import('../kit/seal.ts'),
        import('../config/secrets.ts'),
        import('../config/env.ts'),
      ]);
    const env = readEnv();
    const source = env.GATEHOUSE_SECRETS ? 'GATEHOUSE_SECRETS' : join(config.dataDirectory, 'secrets.json');
    const ring = createWrappingRing(loadSecrets(env, config, false).ring, PROVIDER_KEY_PURPOSE);
    const { unreadable, ...resealed } = await rotateSecrets({
      dataKeys: stores.dataKeys,
      signingKeys: stores.signingKeys,
      providerKeys: stores.providerKeys,
      sealer,
      ring,
      audit,
      // Standard output belongs to the result.
      onProgress: (done) => process.stderr.write(`${count(done, 'provider key')} wrapped anew …\n`),
    });
    const closed = [...unreadable.values()].reduce((sum, each) => sum + each, 0);
    const others = ring.ids.slice(1);
    const needed = others.filter((id) => unreadable.has(id)).length;
    return {
      json: {
        resealed,
        unreadableProviderKeys: closed,
        droppableSecrets: others.length - needed,
        source,
      },
      text: [
        `Sealed ${count(resealed.dataKeys, 'data key')} and ${count(resealed.signingKeys, 'signing key')} anew under the first secret, and wrapped ${count(resealed.providerKeys, 'provider key')} anew.`,
        ...(closed === 0
          ? []
          : [
              `${count(closed, 'provider key')} cannot be opened and stayed as before: add the secret that is missing, or`,
              'their owners must enter them again.',
            ]),
        nextStep({ others: others.length, needed, source }),
      ].join('\n'),
    };
  });

const addApiKeyPepper = () =>
  withServices(async ({ stores, sealer, audit, clock }) => {
    const { addPepper } = await import('../domain/data-keys/peppers.ts');
    const pepper = await addPepper({ store: stores.dataKeys, sealer, clock, audit });
    return {
      json: { pepper },
      text: `API keys are digested under ${pepper} from now on. Servers that run learn of it by themselves; keys out there stay good.`,
    };
  });

const authenticate = ({ trust = [], reopen = false }: { trust?: string[]; reopen?: boolean }) =>
  withServices(async ({ stores, rowMacs, rowWindow, closeRowWindow, audit }) => {
    // An operator who trusts one row must not trust all of them by mistake.
    if (reopen && trust.length > 0) throw new UsageError('--trust and --reopen exclude each other');
    if (reopen) {
      await rowWindow.reopen();
      await audit('rows.window_reopened');
      return {
        json: { closed: false, authenticated: 0 },
        text: 'Rows without a MAC count again. An older version can start now; the newer one closes this by itself when it runs its jobs.',
      };
    }
    if (trust.length > 0) {
      const { authenticateRows } = await import('../domain/row-macs/authenticate-rows.ts');
      const authenticated = await authenticateRows(stores.rowMacs, rowMacs, { ids: new Set(trust) });
      // A typing error must not look like success.
      if (authenticated === 0)
        throw new UsageError(`--trust: no row ${trust.join(' ')} needs a MAC; take the id that doctor names`);
      await audit('rows.authenticated', { details: { rows: authenticated, trusted: trust.join(' ').slice(0, 512) } });
      return {
        json: { closed: rowWindow.isClosed(), authenticated },
        text: `Put a MAC on ${count(authenticated, 'row')} as it is now.`,
      };
    }
    if (rowWindow.isClosed()) {
      return {
        json: { closed: true, authenticated: 0 },
        text: 'Every row needs its MAC already. `gatehouse doctor` names those that are not used.',
      };
    }
    const authenticated = await closeRowWindow();
    return {
      json: { closed: true, authenticated },
      text: `Put a MAC on ${count(authenticated, 'row')}. From now on no row that authorizes counts without one.`,
    };
  });

/** An old secret may go when nothing is under it, and not before. */
function nextStep({ others, needed, source }: { others: number; needed: number; source: string }): string {
  if (others === 0) {
    return `There is no other secret in ${source}. To replace this one, put a new one in front of it, restart every process, and run this again.`;
  }
  if (needed > 0) {
    return `Keep ${count(needed, 'other secret')} in ${source}: a provider key that cannot be opened was wrapped under it.`;
  }
  return `Nothing in the database needs the other ${count(others, 'secret')} any more: drop what follows the first one from ${source} and restart every process.`;
}
