import { createHash, createHmac } from 'node:crypto';
import { expect } from 'chai';
import type { ImportedApiKey } from '../../../../src/domain/api-keys/manage-api-keys.ts';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, DAY_MS, IMPORT_KEY, refusalOf, type World } from './world.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
let counter = 0;
function line(change: Partial<ImportedApiKey> = {}): ImportedApiKey {
  counter += 1;
  return {
    ...{ owner: 'ada@example.com', name: `Old ${counter}`, algorithm: 'sha256', digest: sha256(`old-${counter}`) },
    ...change,
  };
}

describe('importing API keys', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());
  const problemsOf = async (lines: ImportedApiKey[]) =>
    (await world.manage.importMany(lines)).map((outcome) => ('problem' in outcome ? outcome.problem : null));

  it('finds them by their own text from then on', async () => {
    const text = 'sk-of-another-system';
    const hmac = createHmac('sha256', IMPORT_KEY).update('sk-by-hmac').digest('base64url');
    const outcomes = await world.manage.importMany([
      line({
        name: 'One',
        digest: sha256(text),
        prefix: 'sk-',
        lastFour: 'stem',
        scopes: ['read'],
        namespace: 'tenant-1',
      }),
      line({ name: 'Two', owner: world.grace.id, digest: hmac, algorithm: 'hmac-sha256', environment: 'test' }),
    ]);
    const ids = outcomes.map((outcome) => ('id' in outcome ? outcome.id : ''));
    const find = async (shown: string) => {
      for (const digest of world.imported.importedDigestsOf(shown)) {
        const found = await world.stores.apiKeys.findImported(digest);
        if (found) return found;
      }
      return null;
    };
    const one = await find(text);
    expect(one?.owner.id).to.equal(world.ada.id);
    expect(one?.key).to.deep.include({ id: ids[0], name: 'One', prefix: 'sk-', lastFour: 'stem', environment: 'live' });
    expect(one?.key).to.deep.include({ scopes: ['read'], namespace: 'tenant-1', current: null, expiresAt: null });
    const two = await find('sk-by-hmac');
    expect(two?.owner.id).to.equal(world.grace.id);
    expect(two?.key).to.deep.include({ id: ids[1], environment: 'test', scopes: ['read', 'write'] });
    expect(await find(`${text}2`)).to.equal(null);
    expect(world.announced).to.include('imported');
    // In the trail of each account that was given keys.
    expect(await world.events('api_key.imported')).to.have.length(2);
    expect((await world.events('api_key.imported'))[0]).to.include({ count: 1, by: 'operator' });
  });

  it('gives each an id that a rotation can put into a key of ours', async () => {
    const [outcome] = await world.manage.importMany([line({ environment: 'test' })]);
    const id = outcome && 'id' in outcome ? outcome.id : '';
    const { key, secret } = await world.manage.rotate(id, 3600, world.asAda);
    expect(world.format.parse(secret)).to.deep.equal({ id, environment: 'test' });
    expect(key).to.include({ previous: null, importedEndsAt: world.clock.atMs + 3_600_000, prefix: 'mem_test_' });
    const again = await world.manage.rotate(id, 0, world.asAda);
    expect(again.key.importedEndsAt).to.equal(world.clock.atMs);
    expect(await world.works(again.secret)).to.equal(true);
  });

  it('names what is wrong with a line, and imports the others', async () => {
    const problems = await problemsOf([
      line(),
      line({ owner: 'nobody@example.com' }),
      line({ owner: 'acc_nobody' }),
      line({ name: '' }),
      line({ digest: 'abc' }),
      line({ algorithm: 'md5' as never }),
      line({ environment: 'staging' }),
      line({ scopes: ['rule'] }),
      line({ owner: 'grace@example.com', scopes: ['admin'] }),
      line({ scopes: ['keys:verify'] }),
      line({ prefix: 'two words' }),
      line({ lastFour: '12345' }),
      line({ namespace: 'a b' }),
      line({ expiresAt: 1 }),
      line(),
    ]);
    const fields = problems.map((problem) => problem?.split(':')[0]);
    expect(fields).to.deep.equal([
      ...[undefined, 'owner', 'owner', 'name', 'digest', 'algorithm', 'environment', 'scopes', 'scopes', 'scopes'],
      ...['prefix', 'last_four', 'namespace', 'expires_at', undefined],
    ]);
  });

  it('imports a key once: in one call, in the next, in hex or base64url', async () => {
    const first = line();
    const same = { ...first, digest: Buffer.from(first.digest, 'hex').toString('base64url') };
    expect(await problemsOf([first, same])).to.deep.equal([null, 'already imported']);
    expect(await problemsOf([{ ...first, owner: 'grace@example.com' }, line()])).to.deep.equal([
      'already imported',
      null,
    ]);
  });

  it('imports each of 200 keys once when 5 do it at the same time', async () => {
    const lines = Array.from({ length: 200 }, () => line());
    const outcomes = (await parallel(5, () => world.manage.importMany(lines))).flat();
    const done = outcomes.filter((outcome) => 'id' in outcome);
    expect(new Set(done.map((outcome) => outcome.line)).size).to.equal(200);
    expect(done).to.have.length(200);
  });

  it('needs the key of the other system for its HMACs', async () => {
    const without = await createWorld({ importKey: null });
    const [outcome] = await without.manage.importMany([line({ algorithm: 'hmac-sha256' })]);
    expect(outcome).to.deep.equal({ line: 1, problem: 'algorithm: needs GATEHOUSE_IMPORT_HMAC_KEY' });
    await without.close();
  });

  it('takes at most 1,000 at a time', async () => {
    const lines = Array.from({ length: 1001 }, () => line());
    expect((await refusalOf(world.manage.importMany(lines))).code).to.equal('invalid_request');
    expect(await world.manage.importMany(lines.slice(1))).to.have.length(1000);
  });

  it('keeps an end that was given', async () => {
    const expiresAt = Math.floor((world.clock.atMs + DAY_MS) / 1000);
    const [outcome] = await world.manage.importMany([line({ expiresAt })]);
    const id = outcome && 'id' in outcome ? outcome.id : '';
    expect((await world.manage.get(id, world.asAda)).expiresAt).to.equal(expiresAt * 1000);
  });
});
