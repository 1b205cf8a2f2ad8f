import type { Config } from '../../config/config.ts';
import { normalizeEmail } from '../../domain/accounts/account.ts';
import type { Stores } from '../../storage/stores.ts';
import { type Finding, fail, ok } from './finding.ts';

/** seeds/demo.ts makes these, and their passwords are published. */
const DEMO_CLIENTS = ['demo-web', 'demo-spa', 'demo-native', 'demo-machine', 'demo-jwt', 'demo-api'];
const DEMO_ACCOUNT = 'ada@example.com';

export async function examineDemo({ clients, accounts }: Stores, { production }: Config): Promise<Finding[]> {
  if (!production) return [];
  const found: string[] = [];
  for (const id of DEMO_CLIENTS) if (await clients.find(id)) found.push(id);
  const account = await accounts.findByEmail(normalizeEmail(DEMO_ACCOUNT) ?? '');
  if (account && account.disabledAt === null) found.push(DEMO_ACCOUNT);
  if (found.length === 0) return [ok('demonstration data', 'none')];
  const advice =
    'Run gatehouse client delete, resource delete and user disable for them, or start with an empty database.';
  return [fail('demonstration data', `is in a production database: ${found.join(', ')}`, advice)];
}

/** Says nothing when nobody answers: the server may not be started yet, or not be reachable from here. */
export async function examineIssuer({ issuer }: Config): Promise<Finding[]> {
  let announced: unknown;
  try {
    const url = `${issuer}/.well-known/openid-configuration`;
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(3000) });
    if (!response.ok)
      return [
        fail('issuer', `${url} answers ${response.status}`, 'Does the proxy pass this path, and Host unchanged?'),
      ];
    announced = ((await response.json()) as { issuer?: unknown }).issuer;
  } catch {
    return [];
  }
  return announced === issuer
    ? [ok('issuer', `${issuer} answers`)]
    : [
        fail(
          'issuer',
          `what answers at ${issuer} calls itself ${String(announced)}`,
          'Set ISSUER to the public address, exactly.',
        ),
      ];
}
