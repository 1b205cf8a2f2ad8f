import { createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

const HMAC_KEY = 'the key under which the other system digested its keys';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const line = (name: string, change: object = {}): string =>
  JSON.stringify({ owner: 'ada@example.com', name, digest: sha256(name), algorithm: 'sha256', ...change });

describe('gatehouse api-key import', () => {
  let gatehouse: Deployment;
  before(async () => {
    gatehouse = createDeployment();
    await gatehouse.run(['user', 'create', '--email', 'ada@example.com', '--password-stdin'], {
      input: 'a long enough password',
    });
  });
  after(() => gatehouse.remove());

  it('imports what is good, names the lines that are not, and the next run only what was missing', async () => {
    const lines = [
      line('one', { prefix: 'sk-', last_four: 'wxyz' }),
      '',
      'not JSON',
      line('two', { digest: 'abc' }),
      line('three', { expires: 1 }),
      line('four', { owner: 'nobody@example.com' }),
      line('one'),
      line('five'),
    ];
    const first = await gatehouse.run(['api-key', 'import', '--json'], { input: `${lines.join('\r\n')}\r\n` });
    expect(first.code).to.equal(1);
    expect(first.json()).to.include({ imported: 2, alreadyImported: 1 });
    expect(first.json().problems.map((problem: { line: number }) => problem.line)).to.deep.equal([3, 4, 5, 6]);

    const file = join(gatehouse.folder, 'keys.jsonl');
    writeFileSync(file, [line('one'), line('two'), line('five')].join('\n'));
    const second = await gatehouse.run(['api-key', 'import', file]);
    expect(second).to.include({ code: 0, stdout: 'Imported 1 key. 2 keys had been imported before.\n' });
    const list = await gatehouse.json(['api-key', 'list', '--owner', 'ada@example.com']);
    expect(list.map(({ name }: { name: string }) => name)).to.have.members(['one', 'two', 'five']);
    expect(list.find(({ name }: { name: string }) => name === 'one')).to.include({
      ...{ imported: true, prefix: 'sk-', lastFour: 'wxyz', state: 'active', createdBy: 'operator' },
    });
  });

  it('imports more than one call takes, and still names the right line', async () => {
    const lines = Array.from({ length: 2500 }, (_, index) => line(`many ${index}`));
    lines[1999] = line('bad', { scopes: ['no such scope'] });
    const outcome = await gatehouse.run(['api-key', 'import'], { input: lines.join('\n') });
    expect(outcome.code).to.equal(1);
    expect(outcome.stdout).to.match(/^Imported 2499 keys\. 1 line failed:\n {2}line 2000: scopes: /);
  });

  it('imports by HMAC where its key is set', async () => {
    const digest = createHmac('sha256', HMAC_KEY).update('a key').digest('base64url');
    const input = line('by hmac', { algorithm: 'hmac-sha256', digest });
    const without = await gatehouse.run(['api-key', 'import'], { input });
    expect(without.stdout).to.include('line 1: algorithm: needs GATEHOUSE_IMPORT_HMAC_KEY');
    const env = { GATEHOUSE_IMPORT_HMAC_KEY: HMAC_KEY };
    expect(await gatehouse.json(['api-key', 'import'], { input, env })).to.include({ imported: 1 });
    await using services = await gatehouse.services(env);
    const digests = services.importedDigests.importedDigestsOf('a key');
    const found = await Promise.all(digests.map((each) => services.stores.apiKeys.findImported(each)));
    expect(found.map((each) => each?.key.name ?? null)).to.deep.equal([null, 'by hmac']);
  });

  it('says when the file cannot be read', async () => {
    const { code, stderr } = await gatehouse.run(['api-key', 'import', 'missing.jsonl']);
    expect(code).to.equal(2);
    expect(stderr).to.include('missing.jsonl cannot be read (ENOENT)');
  });
});
