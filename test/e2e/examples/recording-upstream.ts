import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Arrival {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Names and values as they came, for what must not be there. */
  raw: string;
}

/** What stands behind a proxy: it writes down what arrives, and answers `teapot` with a status of its own making. */
export interface RecordingUpstream {
  address: string;
  arrivals: Arrival[];
  close(): Promise<void>;
}

export async function startRecordingUpstream(): Promise<RecordingUpstream> {
  const arrivals: Arrival[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      arrivals.push({ method, url, headers, body: Buffer.concat(chunks).toString(), raw: rawHeaders.join('\n') });
      const status = Number(/status=(\d+)/.exec(url)?.[1] ?? 200);
      response
        .writeHead(status, { 'content-type': 'text/plain', 'set-cookie': 'provider=1' })
        .end("the upstream's own");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
