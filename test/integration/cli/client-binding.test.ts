import { expect } from 'chai';
import { makeIdentity } from '../../support/certificates.ts';
import { createDeployment, type Deployment } from './run-cli.ts';

const MACHINE = ['client', 'create', '--type', 'machine', '--name', 'Meter', '--scope', 'read'];

describe('gatehouse client, with certificates and bound tokens', () => {
  let gatehouse: Deployment;
  let thumbprint: string;
  before(() => {
    gatehouse = createDeployment();
    ({ thumbprint } = makeIdentity(gatehouse.folder, 'meter'));
  });
  after(() => gatehouse.remove());

  it('registers a client by its certificate, of which only the thumbprint is kept', async () => {
    const [pem, der] = [
      await gatehouse.json([...MACHINE, '--certificate', 'meter.pem']),
      await gatehouse.json([...MACHINE, '--certificate', 'meter.der', '--token-binding', 'mtls']),
    ];
    for (const created of [pem, der]) {
      expect(created).to.deep.include({
        authMethod: 'self_signed_tls_client_auth',
        certificateThumbprints: [thumbprint],
        secret: null,
      });
    }
    expect([pem.tokenBinding, der.tokenBinding]).to.deep.equal([null, 'mtls']);
    const { stdout } = await gatehouse.run(['client', 'show', der.id]);
    expect(stdout)
      .to.include(thumbprint)
      .and.to.match(/bound tokens +mtls/);
  });

  it('binds the tokens of a client, and stops to', async () => {
    const { id, tokenBinding } = await gatehouse.json([...MACHINE, '--token-binding', 'dpop']);
    expect(tokenBinding).to.equal('dpop');
    const update = ['client', 'update', id, '--token-binding'];
    expect((await gatehouse.json([...update, 'none'])).tokenBinding).to.equal(null);
    expect((await gatehouse.json([...update, 'mtls'])).tokenBinding).to.equal('mtls');
    expect((await gatehouse.run([...update, 'key'])).code).to.equal(2);
  });

  it('says why tokens of a web application cannot be bound', async () => {
    const web = ['client', 'create', '--type', 'web', '--name', 'Shop', '--redirect-uri', 'https://shop.test/cb'];
    const refused = await gatehouse.run([...web, '--token-binding', 'dpop']);
    expect(refused).to.include({ code: 1, stdout: '' });
    expect(refused.stderr).to.include('error: --token-binding: needs the client_credentials grant and no other');
  });

  it('takes no file that is not a certificate', async () => {
    for (const file of ['meter.key', 'missing.pem']) {
      const refused = await gatehouse.run([...MACHINE, '--certificate', file]);
      expect([file, refused.code, refused.stdout]).to.deep.equal([file, 2, '']);
      expect(refused.stderr).to.include(`--certificate: ${file}`);
    }
  });
});
