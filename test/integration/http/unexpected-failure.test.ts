import { expect } from 'chai';
import { authorization, basic } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const DETAIL = 'the bug with the connection postgres://user:hunter2hunter2@db/x';

describe('a failure that nobody thought of', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({
      adjust(services) {
        const { findClient } = services;
        services.findClient = async (id) => {
          if (id === 'boom') throw new TypeError(DETAIL);
          return findClient(id);
        };
      },
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  function expectNothingTold(reply: Reply): void {
    expect(reply.status).to.equal(500);
    expect(reply.text).to.not.match(/hunter2|TypeError|node_modules|\.ts:\d+|postgres/);
    expect(reply.headers['x-request-id']).to.match(/^req_/);
    expect(reply.headers['cache-control']).to.contain('no-store');
  }

  it('is OAuth JSON at the machine endpoints, without a word on what happened', async () => {
    for (const path of ['/oauth2/token', '/oauth2/introspect', '/oauth2/revoke']) {
      const fields = { grant_type: 'client_credentials', token: 'x' };
      const reply = await harness.post(path, fields, { authorization: basic('boom', 'x') });
      expectNothingTold(reply);
      expect(reply.json().error).to.equal('server_error');
    }
  });

  it('is a page where people are, with the same headers as every page', async () => {
    const reply = await harness.get(authorization(harness, { id: 'boom' }).url, { accept: 'text/html' });
    expectNothingTold(reply);
    expect(reply.text)
      .to.contain('Something went wrong on our side')
      .and.to.contain(String(reply.headers['x-request-id']));
    expect(reply.headers).to.include({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' });
    expect(reply.headers['content-security-policy']).to.contain("frame-ancestors 'none'");
  });

  it('is in the log with its stack and the request it belongs to, without credentials', async () => {
    const reply = await harness.post('/oauth2/revoke', { token: 'x' }, { authorization: basic('boom', 'x') });
    const line = harness.log.findLast(({ level }) => level === 'error');
    expect(line?.requestId).to.equal(reply.headers['x-request-id']);
    expect(JSON.stringify(line)).to.contain('unexpected-failure.test.ts').and.to.not.contain('hunter2');
  });

  it('leaves the next request alone', async () => {
    expect((await harness.get('/oauth2/jwks')).status).to.equal(200);
  });
});
