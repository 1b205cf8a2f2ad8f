/** `fetch` to one process: whatever host the URL names, the connection goes to its port, as a load balancer would do it. */
import * as http from 'node:http';
import * as https from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface FetchInit {
  method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: as wide as each client library's own idea of it
  headers?: any;
  body?: unknown;
  signal?: AbortSignal | null | undefined;
}

type Body = NonNullable<RequestInit['body']>;

/** Never follows a redirect. */
export type Fetch = (url: string | URL, init?: FetchInit) => Promise<Response>;

export interface PortFetch {
  fetch: Fetch;
  /** Closes the kept connections. */
  close(): void;
}

/** @param ca the certificate to trust for https, PEM */
export function createPortFetch(port: number, { ca }: { ca?: string } = {}): PortFetch {
  const agents = {
    'http:': withPort(new http.Agent({ keepAlive: true }), () => connect({ port, host: '127.0.0.1', noDelay: true })),
    'https:': withPort(new https.Agent({ keepAlive: true }), (host) =>
      connectTls({ port, host: '127.0.0.1', servername: host, ...(ca === undefined ? {} : { ca }) }),
    ),
  };
  return {
    async fetch(url, { method = 'GET', headers, body, signal } = {}) {
      const target = new URL(url);
      const secure = target.protocol === 'https:';
      // Request works out the Content-Type of a body as every fetch does.
      const request = new Request(target, { method, headers, ...(body == null ? {} : { body: body as Body }) });
      const bytes = body == null ? undefined : Buffer.from(await request.arrayBuffer());
      return new Promise((resolve, reject) => {
        const outgoing = (secure ? https : http).request(target, {
          method,
          agent: agents[secure ? 'https:' : 'http:'],
          headers: {
            ...Object.fromEntries(request.headers),
            ...(bytes ? { 'content-length': String(bytes.length) } : {}),
          },
          ...(signal ? { signal } : {}),
        });
        outgoing.once('error', reject);
        outgoing.once('response', (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.once('error', reject);
          incoming.once('end', () => {
            const pairs = incoming.rawHeaders.flatMap((name, i, all): [string, string][] =>
              i % 2 === 0 ? [[name, all[i + 1] ?? '']] : [],
            );
            const status = incoming.statusCode ?? 0;
            const empty = status === 204 || status === 304;
            const response = new Response(empty ? null : Buffer.concat(chunks), { status, headers: pairs });
            // OAuth clients compare it with what they asked for.
            Object.defineProperty(response, 'url', { value: target.href });
            resolve(response);
          });
        });
        outgoing.end(bytes);
      });
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function withPort<A extends http.Agent>(agent: A, open: (host: string) => Socket): A {
  agent.createConnection = ((options: { servername?: string; host?: string }) =>
    open(options.servername ?? options.host ?? 'localhost')) as A['createConnection'];
  return agent;
}
