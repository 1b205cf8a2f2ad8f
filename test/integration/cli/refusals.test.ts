import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

/** What every command says when its stores say no: one sentence with the reason. */
describe('a command whose database cannot be used', () => {
  let gatehouse: Deployment;
  beforeEach(() => {
    gatehouse = createDeployment();
  });
  afterEach(() => gatehouse.remove());

  const file = (name: string): string => `sqlite:${join(gatehouse.folder, name)}`;
  const REASONS: Record<string, { url: () => string; says: RegExp }> = {
    'a folder': {
      url: () => {
        mkdirSync(join(gatehouse.folder, 'd'));
        return file('d');
      },
      says: /d cannot be used: it is a folder/,
    },
    'a file that is no database': {
      url: () => {
        writeFileSync(
          join(gatehouse.folder, 'text'),
          'This is a letter, and was never a database of any kind. '.repeat(20),
        );
        return file('text');
      },
      says: /its file is no SQLite database/,
    },
    'below a file': {
      url: () => {
        writeFileSync(join(gatehouse.folder, 'text'), '');
        return file('text/x.sqlite');
      },
      says: /cannot be used: a part of its path is no folder/,
    },
    'where nothing listens': {
      url: () => 'postgres://ada:hunter2@127.0.0.1:1/x',
      says: /the database cannot be used: nothing listens at its address/,
    },
    'where nothing listens (MariaDB)': {
      url: () => 'mysql://ada:hunter2@127.0.0.1:1/x',
      says: /the database cannot be used: nothing listens at its address/,
    },
    'of a host that nobody knows': {
      url: () => 'postgres://ada:hunter2@nowhere.invalid/x',
      says: /the name of its host does not resolve/,
    },
  };
  for (const [what, { url, says }] of Object.entries(REASONS)) {
    it(`${what}: says why in a sentence, without a stack or the password`, async () => {
      const DATABASE_URL = url();
      for (const command of [['migrate', 'up'], ['user', 'list'], ['doctor']]) {
        const { code, stdout, stderr } = await gatehouse.run(command, { env: { DATABASE_URL } });
        const said = stdout + stderr;
        expect([command, code]).to.deep.equal([command, 1]);
        if (command[0] !== 'doctor') expect(said).to.match(says);
        expect(said).not.to.match(/^\s+at .*(file:|node:|\/)/m);
        expect(said).not.to.include('hunter2');
      }
    });
  }

  it('says that what answers is of another kind', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}).end('-ERR unknown command\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { DATABASE_URL: `postgres://ada:hunter2@127.0.0.1:${port}/x` };
    const { code, stderr } = await gatehouse.run(['migrate', 'up'], { env });
    server.close();
    expect(code).to.equal(1);
    expect(stderr)
      .to.match(/the database cannot be used: /)
      .and.not.match(/^\s+at /m);
  });
});
