import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../../src/config/problems.ts';
import { loadSecrets } from '../../../src/config/secrets.ts';

const LONG = 'tEuZNQZmAlRxpCzcaVFdqzM1XKyRPdGI';
const LONGER = 'O9f2sGIcRJIb7yH0w3kTqVn5xLdPfE8mUjZr6Aoi';

describe('the secrets', () => {
  let dataDirectory = '';
  const development = (): { production: boolean; dataDirectory: string } => ({ production: false, dataDirectory });
  const production = (): { production: boolean; dataDirectory: string } => ({ production: true, dataDirectory });
  const file = (): string => join(dataDirectory, 'secrets.json');

  beforeEach(() => {
    dataDirectory = join(mkdtempSync(join(tmpdir(), 'gatehouse-secrets-')), 'data');
  });
  afterEach(() => rmSync(join(dataDirectory, '..'), { recursive: true, force: true }));

  it('come from GATEHOUSE_SECRETS in their order, in development too, and then no file is made', () => {
    const env = { GATEHOUSE_SECRETS: `${LONG}, ${LONGER},` };
    expect(loadSecrets(env, production(), true).ring).to.deep.equal([LONG, LONGER]);
    expect(loadSecrets(env, development(), true).ring).to.deep.equal([LONG, LONGER]);
    expect(existsSync(dataDirectory)).to.equal(false);
  });

  it('are made once in development, in a file for its owner alone', () => {
    const { ring } = loadSecrets({}, development(), true);
    expect(ring).to.have.length(1);
    expect(ring[0]?.length).to.be.at.least(43);
    expect(statSync(file()).mode & 0o777).to.equal(0o600);
    expect(statSync(dataDirectory).mode & 0o777).to.equal(0o700);
    expect(loadSecrets({}, development(), true).ring).to.deep.equal(ring);
    expect(loadSecrets({}, development(), false).ring).to.deep.equal(ring);
  });

  it('are never made anew for a database that holds sealed keys', () => {
    expect(() => loadSecrets({}, development(), false)).to.throw(
      ConfigError,
      /no secret to open them; set it, or restore/,
    );
    expect(existsSync(file())).to.equal(false);
  });

  it('are required in production, whatever file lies around', () => {
    loadSecrets({}, development(), true);
    for (const env of [{}, { GATEHOUSE_SECRETS: '' }, { GATEHOUSE_SECRETS: ' , ' }]) {
      expect(() => loadSecrets(env, production(), true)).to.throw(
        ConfigError,
        /must be set in production; make one with/,
      );
    }
  });

  it('are refused when one of them is too short, without repeating it', () => {
    for (const secrets of ['short-secret', `${LONG},short-secret`]) {
      for (const config of [development(), production()]) {
        expect(() => loadSecrets({ GATEHOUSE_SECRETS: secrets }, config, true))
          .to.throw(ConfigError, /at least 32 characters/)
          .with.property('message')
          .that.does.not.include('short-secret');
      }
    }
  });

  it('take a list from the file, so that they can be rotated in development', () => {
    const { ring } = loadSecrets({}, development(), true);
    writeFileSync(file(), JSON.stringify({ secrets: [LONG, ...ring] }));
    expect(loadSecrets({}, development(), false).ring).to.deep.equal([LONG, ...ring]);
  });

  it('are not guessed from a file that is damaged', () => {
    loadSecrets({}, development(), true);
    const before = readFileSync(file(), 'utf8');
    for (const content of [before.slice(0, 20), '{}', '{"secrets":"x"}', '{"secrets":[1]}', 'null', '']) {
      writeFileSync(file(), content);
      expect(() => loadSecrets({}, development(), true), content).to.throw(ConfigError, /not a secrets file/);
    }
    for (const content of ['{"secrets":[]}', '{"secrets":["short"]}']) {
      writeFileSync(file(), content);
      expect(() => loadSecrets({}, development(), true), content).to.throw(ConfigError, /at least 32 characters/);
    }
  });

  it('keep the rights of a file its owner has narrowed', () => {
    loadSecrets({}, development(), true);
    chmodSync(file(), 0o400);
    loadSecrets({}, development(), false);
    expect(statSync(file()).mode & 0o777).to.equal(0o400);
  });
});
