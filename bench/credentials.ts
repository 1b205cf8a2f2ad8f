/** Credentials to verify: good ones, as their holders get them, and made-up ones. */
import { checksum } from '../src/kit/checksum.ts';
import { randomBase62 } from '../src/kit/ids.ts';
import { type Fixture, JWT_API, PASSWORD } from './fixtures.ts';
import { createFlows } from './flows.ts';
import { createHttpClient, due } from './http.ts';
import { createAccounts, withServices } from './prepare.ts';
import type { Databases, MeasuredServer } from './servers.ts';

export interface Credentials {
  /** API keys of one account. */
  keys: readonly string[];
  /** The account that signs in. */
  email: string;
}

export async function createCredentials(databases: Databases, { keys: count }: { keys: number }): Promise<Credentials> {
  const [email = ''] = await createAccounts(databases, 1);
  const keys = await withServices(databases, async ({ stores, manageApiKeys }) => {
    const owner = await stores.accounts.findByEmail(email);
    if (!owner) throw new Error('the account is not there');
    const operator = {
      ownerId: owner.id,
      id: 'operator',
      keyId: null,
      isApp: false,
      scopes: null,
      environment: null,
      ip: null,
      requestId: null,
    };
    const secrets: string[] = [];
    for (let i = 0; i < count; i += 1) {
      secrets.push((await manageApiKeys.issue({ name: `Key ${i}` }, operator)).secret);
    }
    return secrets;
  });
  return { keys, email };
}

/** An access token of the OAuth token endpoint (RFC 9068) and one of the JSON login, both ES256. */
export async function fetchJwts(
  server: MeasuredServer,
  fixture: Fixture,
  email: string,
): Promise<{ accessToken: string; login: string }> {
  const flows = createFlows(server, fixture);
  const accessToken = await flows.clientCredentials(JWT_API);
  flows.close();
  const http = createHttpClient(server.port);
  const answer = due(await http.send('/v1/auth/login', { json: { email, password: PASSWORD } }), 200);
  http.close();
  return { accessToken, login: (JSON.parse(answer.body) as { access_token: string }).access_token };
}

const BEGINNING = 'gh_live_';
const RANDOM_LENGTH = 48;

/** Right in form and checksum, and nobody's: what someone can make who has read the documentation. */
export function wellFormedKeys(count: number): string[] {
  return Array.from({ length: count }, () => {
    const text = BEGINNING + randomBase62(RANDOM_LENGTH);
    return text + checksum(text);
  });
}

/** The same with a wrong checksum: what a typing error makes. */
export const garbageKeys = (count: number): string[] =>
  wellFormedKeys(count).map((key) => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'));
