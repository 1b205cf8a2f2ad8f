import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

interface Key {
  kid: string;
  algorithm: string;
  state: string;
  since: string;
  next: { state: string; at: string };
}

const DAY_MS = 86_400_000;
const inState = (keys: readonly Key[], state: string): string[] =>
  keys.filter((key) => key.state === state).map(({ kid }) => kid);

describe('gatehouse keys', () => {
  let gatehouse: Deployment;
  const list = (): Promise<Key[]> => gatehouse.json(['keys', 'list']);
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('lists a signing key and its successor for each algorithm, with what comes next', async () => {
    const keys = await list();
    expect(keys.map(({ algorithm, state }) => `${algorithm} ${state}`)).to.deep.equal([
      'ES256 active',
      'ES256 published',
      'RS256 active',
      'RS256 published',
    ]);
    for (const { state, since, next } of keys) {
      expect(next.state).to.equal(state === 'active' ? 'retired' : 'active');
      expect(Date.parse(next.at) - Date.parse(since)).to.be.closeTo(90 * DAY_MS, 60_000);
    }
    const { stdout } = await gatehouse.run(['keys', 'list']);
    expect(stdout).to.match(/^ALGORITHM +STATE +SINCE +NEXT +KID\nES256 +active .*retires \d{4}-\d\d-\d\d/);
    expect(stdout).not.to.include('"d"');
  });

  it('waits, when told to rotate, until the successors were published long enough', async () => {
    const before = await list();
    const after: Key[] = await gatehouse.json(['keys', 'rotate']);
    expect(inState(after, 'active')).to.deep.equal(inState(before, 'active'));
    for (const key of after.filter(({ state }) => state === 'active')) {
      expect(Date.parse(key.next.at)).to.be.closeTo(Date.now() + 14 * DAY_MS, 60_000);
    }
  });

  it('lets the successors sign at once with --now, and keeps the old keys for what they signed', async () => {
    const before = await list();
    const after: Key[] = await gatehouse.json(['keys', 'rotate', '--now']);
    expect(inState(after, 'active')).to.deep.equal(inState(before, 'published'));
    expect(inState(after, 'retired')).to.deep.equal(inState(before, 'active'));
    expect(inState(after, 'published')).to.have.length(2);
    expect(await list()).to.deep.equal(after);
  });

  it('records who became what', async () => {
    await using services = await gatehouse.services();
    const events = await services.stores.audit.list({ type: 'signing_key.activated', limit: 10 });
    expect(events.map(({ details }) => details.kid)).to.have.members(inState(await list(), 'active'));
  });
});
