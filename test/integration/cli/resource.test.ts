import { expect } from 'chai';
import { createDeployment, type Deployment } from './run-cli.ts';

const API = 'https://api.shop.test';
const CREATE = ['resource', 'create', '--identifier', API, '--name', 'Shop API', '--scope', 'read=Read your orders'];

describe('gatehouse resource', () => {
  let gatehouse: Deployment;
  before(() => {
    gatehouse = createDeployment();
  });
  after(() => gatehouse.remove());

  it('registers an API and the client under which it introspects', async () => {
    const created = await gatehouse.json([...CREATE, '--scope', 'write=Order = pay', '--client-id', 'shop-api']);
    const { createdAt, secret, ...rest } = created;
    expect(rest).to.deep.equal({
      identifier: API,
      name: 'Shop API',
      scopes: [
        { name: 'read', description: 'Read your orders' },
        { name: 'write', description: 'Order = pay' },
      ],
      accessTokenFormat: 'jwt',
      accessTokenLifetimeSeconds: 900,
      clientId: 'shop-api',
    });
    expect(Date.parse(createdAt)).to.be.closeTo(Date.now(), 30_000);
    expect(secret).to.match(/^[\w-]{43}$/);
    expect(gatehouse.databaseBytes()).not.to.include(secret);
    expect(await gatehouse.json(['client', 'show', 'shop-api'])).to.deep.include({ grantTypes: [], redirectUris: [] });
    expect(await gatehouse.json(['resource', 'list'])).to.deep.equal([{ ...rest, createdAt }]);
  });

  it('refuses an identifier in use and names every problem under its option', async () => {
    const [again, wrong, noDescription] = await Promise.all([
      gatehouse.run(CREATE),
      gatehouse.run([
        ...['resource', 'create', '--identifier', '/orders', '--name', 'x', '--scope', 'openid=x', '--lifetime', '1d'],
      ]),
      gatehouse.run(['resource', 'create', '--identifier', API, '--name', 'x', '--scope', 'read']),
    ]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.include('--identifier: there is such a resource server');
    expect(wrong.code).to.equal(1);
    for (const option of ['--identifier', '--scope', '--lifetime'])
      expect(wrong.stderr).to.include(`error: ${option}: `);
    expect(noDescription.code).to.equal(2);
    expect(noDescription.stderr).to.include("'read=Read your data'");
  });

  it('deletes it with its client', async () => {
    expect(await gatehouse.json(['resource', 'delete', API])).to.deep.equal({ identifier: API, deleted: true });
    expect(await gatehouse.json(['resource', 'list'])).to.deep.equal([]);
    expect((await gatehouse.run(['client', 'show', 'shop-api'])).code).to.equal(1);
    const { code, stderr } = await gatehouse.run(['resource', 'delete', API]);
    expect(code).to.equal(1);
    expect(stderr).to.include('gatehouse resource list');
  });
});
