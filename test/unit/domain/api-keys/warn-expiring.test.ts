import { expect } from 'chai';
import { createWarnExpiring } from '../../../../src/domain/api-keys/warn-expiring.ts';
import { createAudit } from '../../../../src/domain/audit/audit.ts';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, DAY_MS, type World } from './world.ts';

describe('warnings before API keys expire', () => {
  let world: World;
  let warn: (limit: number) => Promise<number>;
  beforeEach(async () => {
    world = await createWorld();
    const audit = createAudit({ store: world.stores.audit, clock: world.clock });
    warn = createWarnExpiring({ apiKeys: world.stores.apiKeys, audit, clock: world.clock });
  });
  afterEach(() => world.close());
  const warnings = async (id: string) => (await world.events('api_key.expiring', id)).reverse();
  const daysOf = async (id: string) => (await warnings(id)).map((event) => (event as { days?: number }).days);

  it('come 30, 14 and 3 days before the end, once each, and name the key', async () => {
    const { key } = await world.issue({ name: 'Robot', expiresInDays: 40 });
    const seen: (number | undefined)[][] = [];
    for (let day = 0; day < 40; day += 1) {
      await warn(100);
      await warn(100);
      if ([9, 10, 11, 26, 27, 37, 38].includes(day)) seen.push(await daysOf(key.id));
      world.clock.atMs += DAY_MS;
    }
    expect(seen).to.deep.equal([[], [], [30], [30], [30, 14], [30, 14], [30, 14, 3]]);
    expect((await warnings(key.id))[0]).to.include({ keyId: key.id, name: 'Robot', accountId: world.ada.id });
  });

  it('come once each from 50 processes at once', async () => {
    const { key } = await world.issue({ expiresInDays: 40 });
    world.clock.atMs += 15 * DAY_MS;
    await parallel(50, () => warn(100));
    expect(await daysOf(key.id)).to.deep.equal([30]);
  });

  it('skip what is past: a key that is met late is warned about once', async () => {
    const { key } = await world.issue({ expiresInDays: 40 });
    world.clock.atMs += 38 * DAY_MS;
    await warn(100);
    await warn(100);
    expect(await daysOf(key.id)).to.deep.equal([3]);
  });

  it('do not come at once for an end that was just chosen', async () => {
    const { key: week } = await world.issue({ expiresInDays: 7 });
    const { key: day } = await world.issue({ expiresInDays: 1 });
    await warn(100);
    world.clock.atMs += 5 * DAY_MS;
    await warn(100);
    expect([await daysOf(week.id), await daysOf(day.id)]).to.deep.equal([[3], []]);
  });

  it('come for an imported key however near its end was', async () => {
    const expiresAt = Math.floor((world.clock.atMs + 2 * DAY_MS) / 1000);
    const [outcome] = await world.manage.importMany([
      { owner: world.ada.id, name: 'Old', algorithm: 'sha256', digest: 'a'.repeat(64), expiresAt },
    ]);
    await warn(100);
    expect(await daysOf(outcome && 'id' in outcome ? outcome.id : '')).to.deep.equal([3]);
  });

  it('do not come for keys that are revoked or never end', async () => {
    const { key } = await world.issue({ expiresInDays: 40 });
    await world.manage.revoke(key.id, 'lost', world.asAda);
    world.clock.atMs += 39 * DAY_MS;
    expect(await warn(100)).to.equal(0);
  });

  it('are given in batches, and tell when there is nothing left', async () => {
    for (let count = 0; count < 7; count += 1) await world.issue({ expiresInDays: 40 });
    world.clock.atMs += 15 * DAY_MS;
    expect([await warn(3), await warn(3), await warn(3)]).to.deep.equal([3, 3, 1]);
    expect(await world.events('api_key.expiring')).to.have.length(7);
  });
});
