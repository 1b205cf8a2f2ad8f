import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import Koa from 'koa';
import { type AnswerAgain, createAnswerAgain } from '../../../src/http/answer-again.ts';
import { createCallerOf } from '../../../src/http/request-context.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { createLog } from '../../../src/kit/log.ts';

describe('the memory of answers', () => {
  let again: AnswerAgain;
  let server: Server;
  let made: number;
  /** Happens while an answer is made. */
  let meanwhile: () => void;
  beforeEach(async () => {
    made = 0;
    meanwhile = () => {};
    again = createAnswerAgain({
      isCandidate: () => true,
      credentialHeaders: new Set(['x-api-key']),
      malformedKind: () => null,
      callerOf: createCallerOf(() => true),
      clock: systemClock,
      log: createLog({ level: 'silent', destination: { write: () => {} } }),
      observe: () => {},
    });
    const koa = new Koa();
    koa.use(again.remember);
    koa.use((ctx) => {
      made += 1;
      Object.assign(ctx.state, {
        again: { holdsMs: 60_000, count: () => {} },
        facts: { requestId: 'req_1' },
        route: { name: 'test' },
      });
      ctx.body = `answer ${made}`;
      meanwhile();
    });
    server = createServer(again.before(koa.callback() as RequestListener));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  async function ask(headers: Record<string, string> = {}): Promise<string> {
    const { port } = server.address() as AddressInfo;
    const reply = await fetch(`http://127.0.0.1:${port}/`, {
      headers: { 'x-api-key': 'key', connection: 'close', ...headers },
    });
    return reply.text();
  }

  it('gives an answer again to the same question', async () => {
    expect([await ask(), await ask()]).to.deep.equal(['answer 1', 'answer 1']);
  });

  it('keeps no answer that was made while something changed', async () => {
    meanwhile = () => again.forget();
    expect(await ask()).to.equal('answer 1');
    meanwhile = () => {};
    expect([await ask(), await ask()]).to.deep.equal(['answer 2', 'answer 2']);
    again.forget();
    expect(await ask()).to.equal('answer 3');
  });

  it('takes what a proxy says of the connection for a part of the question', async () => {
    expect(await ask({ 'x-forwarded-proto': 'https' })).to.equal('answer 1');
    expect(await ask({ 'x-forwarded-proto': 'http' })).to.equal('answer 2');
    expect(await ask()).to.equal('answer 3');
    expect(await ask({ 'x-forwarded-proto': 'https' })).to.equal('answer 1');
  });

  it('takes the address that asks for a part of the question', async () => {
    const { port } = server.address() as AddressInfo;
    const from = async (localAddress: string): Promise<string> => {
      const headers = { 'x-api-key': 'key' };
      const asked = request({ host: '127.0.0.1', port, localAddress, headers, agent: false }).end();
      const [reply] = (await once(asked, 'response')) as [IncomingMessage];
      return text(reply);
    };
    expect([await from('127.0.0.1'), await from('127.0.0.1')]).to.deep.equal(['answer 1', 'answer 1']);
    expect([await from('127.0.0.2'), await from('127.0.0.1')]).to.deep.equal(['answer 2', 'answer 1']);
  });

  it('answers nothing with a cookie, a proof or an origin from memory', async () => {
    await ask();
    for (const name of ['cookie', 'dpop', 'x-gateway-authorization']) {
      const before = made;
      for (let times = 0; times < 2; times += 1) await ask({ [name]: 'a=b' });
      expect([name, made]).to.deep.equal([name, before + 2]);
    }
  });
});
