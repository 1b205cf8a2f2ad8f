import { connect } from 'node:net';
import { expect } from 'chai';
import { type Harness, startHarness } from '../../support/harness.ts';

/** All that comes back for these bytes until the connection ends. `cut`: the caller goes away after sending them. */
function sendBytes(port: number, bytes: string, { cut = false } = {}): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(bytes, () => cut && setTimeout(() => socket.resetAndDestroy(), 50));
    });
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

const partsOf = (answer: string): { status: number; head: string; body: Record<string, unknown> } => {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) as Record<string, unknown> };
};

describe('requests at the edge of HTTP', () => {
  let harness: Harness;
  let host: string;
  before(async () => {
    harness = await startHarness({ env: { LOG_LEVEL: 'debug' } });
    host = new URL(harness.issuer).host;
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const ask = (headers: string[], target = '/health'): Promise<string> =>
    sendBytes(harness.port, `${[`GET ${target} HTTP/1.1`, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`);

  it('headers of 60 KiB are read like any others', async () => {
    const cookies = `a=${'x'.repeat(60_000)}`;
    expect(await ask([`Host: ${host}`, `Cookie: ${cookies}`])).to.match(/^HTTP\/1\.1 200 /);
    const reply = await harness.sendRaw('/v1/auth/verify', { headers: { host, cookie: cookies } });
    expect(reply.status).to.equal(401);
  });

  it('headers past the limit are refused with 431: a body, an id, a line of the log that is no error', async () => {
    const { status, head, body } = partsOf(await ask([`Host: ${host}`, `Cookie: a=${'x'.repeat(70_000)}`]));
    expect(status).to.equal(431);
    expect(body).to.include({ status: 431, code: 'headers_too_large', error: 'invalid_request' });
    expect(head).to.include(`X-Request-Id: ${String(body.request_id)}`);
    const line = harness.log.find(({ requestId }) => requestId === body.request_id);
    expect(line).to.include({ level: 'info', status: 431, reason: 'HPE_HEADER_OVERFLOW' });
    expect(await harness.app.metrics.registry.metrics()).to.match(/route="unreadable",status="431"/);
  });

  it('what is no HTTP is refused with 400 and a body', async () => {
    const { status, body } = partsOf(await sendBytes(harness.port, 'GET / HTTP/1.1\r\nno header at all\r\n\r\n'));
    expect(status).to.equal(400);
    expect(body).to.include({ status: 400, code: 'invalid_request' });
  });

  for (const version of ['1.0', '1.1']) {
    it(`two Host lines are refused with 400, also when they are alike, in HTTP/${version}`, async () => {
      for (const other of [host, 'evil.example', '']) {
        for (const [first, second] of [
          [host, other],
          [other, host],
        ]) {
          for (const target of ['/health', '/', '/v1/auth/verify', '/oauth2/token', `http://${host}/`]) {
            const answer = await sendBytes(
              harness.port,
              `GET ${target} HTTP/${version}\r\nHost: ${first}\r\nhOST: ${second}\r\nConnection: close\r\n\r\n`,
            );
            expect([target, first, second, answer.split(' ')[1]]).to.deep.equal([target, first, second, '400']);
          }
        }
      }
    });
  }

  it('strangers cannot write lines of level error or warn, and only some of level info', async () => {
    const before = harness.log.length;
    const head = `POST /oauth2/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
    for (let time = 0; time < 30; time += 1) {
      await Promise.all([
        sendBytes(harness.port, `${head}Content-Length: 100\r\n\r\nhalf`, { cut: true }),
        sendBytes(harness.port, `${head}Transfer-Encoding: chunked\r\n\r\nZZ\r\nbad chunk\r\n`),
        sendBytes(harness.port, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n`),
        sendBytes(harness.port, 'nonsense\r\n\r\n'),
        sendBytes(
          harness.port,
          `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n`,
          {
            cut: true,
          },
        ),
      ]);
    }
    const lines = harness.log.slice(before);
    expect(lines.filter(({ level }) => level === 'error' || level === 'warn')).to.deep.equal([]);
    expect(lines.filter(({ msg }) => msg === 'request could not be read')).to.have.length.within(1, 20);
    expect((await harness.get('/health')).status).to.equal(200);
  });
});
