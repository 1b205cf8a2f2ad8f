import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

describe('TCP proxy', () => {
  let echo: Server;
  let proxy: TcpProxy;
  let client: Socket;
  let received: string;

  beforeEach(async () => {
    echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startTcpProxy((echo.address() as AddressInfo).port);
    client = await open();
  });

  afterEach(async () => {
    client.destroy();
    await proxy.close();
    await new Promise((resolve) => echo.close(resolve));
  });

  async function open(): Promise<Socket> {
    const socket = connect(proxy.port, '127.0.0.1').setEncoding('utf8');
    received = '';
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  it('names the same server by another port', () => {
    expect(proxy.through('postgres://u:p@localhost:5432/db?x=1')).to.equal(
      `postgres://u:p@127.0.0.1:${proxy.port}/db?x=1`,
    );
  });

  it('holds everything back while paused and delivers it in order afterwards', async () => {
    await proxy.pause();
    for (const letter of 'abc') client.write(letter);
    await sleep(100);
    expect(received).to.equal('');
    await proxy.restore();
    while (received.length < 3) await once(client, 'data');
    expect(received).to.equal('abc');
  });

  it('delays both directions', async () => {
    await proxy.delay(100);
    const start = performance.now();
    client.write('x');
    await once(client, 'data');
    expect(performance.now() - start).to.be.within(190, 2_000);
  });

  it('cuts open connections, refuses new ones and takes them again afterwards', async () => {
    const closed = new Promise((resolve) => client.once('close', resolve));
    await proxy.cut();
    await closed;
    expect(await open().catch((error) => error.code)).to.equal('ECONNREFUSED');
    await proxy.restore();
    client = await open();
    client.write('again');
    await once(client, 'data');
    expect(received).to.equal('again');
  });

  it('passes the end of a connection on', async () => {
    client.end('bye');
    await once(client, 'close');
    expect(received).to.equal('bye');
    expect(await proxy.connections()).to.equal(0);
  });
});
