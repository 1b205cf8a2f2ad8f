import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { call, good, isAccepted, newKey, newPerson, signIn } from '../../support/api-client.ts';
import { startHarness } from '../../support/harness.ts';

/** The ways in which a text may stand somewhere. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const shifted = (by: number): string => Buffer.concat([Buffer.alloc(by), bytes]).toString('base64');
  // In base64 a text looks different at each of three places; its first and last characters mix with what is around it.
  const inBase64 = [0, 1, 2].map((by) => shifted(by).slice(4, -8));
  return [text, bytes.toString('hex'), bytes.toString('utf16le'), ...inBase64].flatMap((form) => [
    form,
    form.replaceAll('+', '-').replaceAll('/', '_'),
  ]);
}

describe('the files of the database', () => {
  it('hold no key of a provider, no API key and no token of a login, in any form', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gatehouse-at-rest-'));
    const harness = await startHarness({ env: { DATABASE_URL: `sqlite:${join(directory, 'gatehouse.sqlite')}` } });
    const person = await newPerson(harness);
    const again = await signIn(harness, person);
    const first = await newKey(harness, person, { name: 'a name that is there' });
    const repeated = await good(
      call(harness, 'POST /v1/api-keys', {
        as: person.token,
        body: { name: 'Repeatable' },
        headers: { 'idempotency-key': 'an-idempotency-key-of-somebody' },
      }),
    );
    const rotated = await good(call(harness, `POST /v1/api-keys/${first.id}/rotate`, { as: person.token, body: {} }));
    const value = 'sk-proj-canary-of-the-vault-0123456789';
    const added = await good(
      call(harness, 'POST /v1/provider-keys', { as: person.token, body: { provider: 'openai', value } }),
    );
    const replaced = 'sk-proj-second-canary-of-the-vault-98765';
    const body = { value: replaced };
    await good(call(harness, `PATCH /v1/provider-keys/${added.id}`, { as: person.token, body }));
    const refreshed = await good(
      call(harness, 'POST /v1/auth/refresh', { body: { refresh_token: again.refreshToken } }),
    );
    for (const key of [first.key, repeated.key, rotated.key]) expect(await isAccepted(harness, key)).to.equal(true);
    await harness.services.usage.flush();

    const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
    const holds = (text: string): boolean => files.some((file) => file.includes(text));
    expect(holds('a name that is there')).to.equal(true);
    const secrets: Record<string, string> = {
      'an API key': first.key,
      'its secret alone': first.key.slice(24, 56),
      'the key after it': rotated.key.slice(24, 56),
      'a key of a repeatable request': repeated.key.slice(24, 56),
      'an Idempotency-Key': 'an-idempotency-key-of-somebody',
      'a provider key': value,
      'a part of it': 'canary-of-the-vault',
      'its replacement': replaced,
      'an access token': person.token.split('.')[2] ?? '',
      'a refresh token': person.refreshToken.slice(4),
      'a used one': again.refreshToken.slice(4),
      'its successor': refreshed.refresh_token.slice(4),
      'a password': person.password,
    };
    for (const [what, secret] of Object.entries(secrets)) {
      expect(secret.length, what).to.be.greaterThan(15);
      expect(formsOf(secret).filter(holds), what).to.deep.equal([]);
    }
    await harness[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
});
