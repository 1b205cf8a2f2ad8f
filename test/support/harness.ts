/**
 * The whole server in the test process: real storage, services and routes behind a real port. Only time can be moved.
 * What passes over the wire is remembered, and `dispose` fails when a credential among it reached the log or the audit trail.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDemo } from '../../seeds/demo.ts';
import { type App, createApp } from '../../src/app.ts';
import { type Config, parseConfig } from '../../src/config/config.ts';
import { loadDialect } from '../../src/endpoints/api/load-dialect.ts';
import { listen } from '../../src/http/server.ts';
import { type Clock, systemClock } from '../../src/kit/clock.ts';
import { createLog } from '../../src/kit/log.ts';
import { createServices, type Services } from '../../src/services.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { freePort } from './free-port.ts';
import { requirePart } from './requirements.ts';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  /** The lines of Set-Cookie. */
  cookies: string[];
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
  json(): any;
}

export type Fields = Record<string, string | readonly string[] | undefined>;

export interface Request {
  method?: string;
  headers?: Record<string, string | readonly string[]>;
  body?: string | Buffer;
}

export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

export interface Harness extends AsyncDisposable {
  readonly issuer: string;
  /** Where it really listens, on 127.0.0.1. */
  readonly port: number;
  readonly config: Config;
  readonly services: Services;
  readonly app: App;
  /** Every line of the log so far. */
  readonly log: LogLine[];
  /** The full URL of a path below the issuer. */
  url(path: string): string;
  /** Sends a request for a path below the issuer, or for a full URL of this server, as its clients would. */
  send(pathOrUrl: string, request?: Request): Promise<Reply>;
  /** The same without the headers a proxy or client adds: the path counts from the root of the server. */
  sendRaw(path: string, request?: Request): Promise<Reply>;
  get(pathOrUrl: string, headers?: Request['headers']): Promise<Reply>;
  /** Posts a form. An array repeats the parameter, undefined leaves it out. */
  post(pathOrUrl: string, fields: Fields, headers?: Request['headers']): Promise<Reply>;
  /** Something that must never be logged. */
  keepSecret(value: string | null | undefined): void;
}

export interface HarnessOptions {
  env?: Record<string, string>;
  clock?: Clock;
  /** Whether the demonstration data is loaded; default true outside production. */
  demo?: boolean;
  /** Anything to change before the routes are made, for instance a spy. */
  adjust?: (services: Services) => void;
  /** In place of requests to providers. */
  outbound?: typeof fetch;
}

/** A clock that can be moved. The OAuth engine does not know it: see `travel`. */
export interface TestClock extends Clock {
  advance(seconds: number): void;
}

export function createTestClock(): TestClock {
  let offsetMs = 0;
  const nowMs = (): number => systemClock.nowMs() + offsetMs;
  return {
    nowMs,
    nowSeconds: () => Math.floor(nowMs() / 1000),
    advance(seconds) {
      offsetMs += seconds * 1000;
    },
  };
}

/** Moves the wall clock of this process, the engine included, until it is disposed: `using _ = travel(3600)`. */
export function travel(seconds: number): Disposable {
  const before = Date.now;
  Date.now = () => before() + seconds * 1000;
  return {
    [Symbol.dispose]() {
      Date.now = before;
    },
  };
}

/** Names of parameters and members whose values open something: of OAuth, of the JSON API, of the vault. */
const SECRET_NAMES = new RegExp(
  String.raw`"?\b(?:${[
    'access_token|refresh_token|id_token|code|password|client_secret|client_assertion|code_verifier|token',
    'current_password|new_password|key|api_key|credential',
    'value|provider_key',
  ].join('|')})"?(?:=|":\s*")([^&"\s]{16,})`,
  'g',
);

/**
 * GATEHOUSE_TEST_STORES=postgres,redis (or mariadb) runs every suite that does not choose its stores on those: what holds on
 * SQLite must hold on them.
 */
async function otherStores(): Promise<Record<string, string>> {
  const named = (process.env.GATEHOUSE_TEST_STORES ?? '').split(',');
  const context = { timeout: () => 0, skip: () => {} } as unknown as Mocha.Context;
  const sql = named.includes('postgres') ? 'postgres' : named.includes('mariadb') ? 'mariadb' : null;
  return {
    ...(sql ? { DATABASE_URL: await (await requirePart(sql, context)).createDatabase() } : {}),
    ...(named.includes('redis') ? { REDIS_URL: (await requirePart('redis', context)).url } : {}),
  };
}

export async function startHarness({
  env = {},
  clock = systemClock,
  demo,
  adjust,
  outbound,
}: HarnessOptions = {}): Promise<Harness> {
  const port = await freePort();
  const dataDirectory = mkdtempSync(join(tmpdir(), 'gatehouse-harness-'));
  const product = await loadDialect({ dialect: env.GATEHOUSE_DIALECT, configFile: env.GATEHOUSE_CONFIG ?? null });
  const given = {
    NODE_ENV: 'test',
    PORT: String(port),
    // Production refuses a database that a restart loses.
    DATABASE_URL:
      env.NODE_ENV === 'production' ? `sqlite:${join(dataDirectory, 'gatehouse.sqlite')}` : 'sqlite::memory:',
    ...(await otherStores()),
    GATEHOUSE_DATA_DIR: dataDirectory,
    ...env,
    ...(env.ISSUER ? { ISSUER: env.ISSUER.replace('PORT', String(port)) } : {}),
  };
  const config = parseConfig(given, product.settings);

  const log: LogLine[] = [];
  const logger = createLog({
    level: 'trace',
    destination: { write: (line: string) => void log.push(JSON.parse(line) as LogLine) },
  });
  const stores = await openStorage({
    databaseUrl: config.databaseUrl,
    ...(config.redisUrl === null ? {} : { redisUrl: config.redisUrl }),
    poolSize: config.databasePool,
    log: logger,
    clock,
  });
  await stores.migrations.up();
  const services = await createServices({
    config,
    secrets: {
      ring: ['a key-encryption secret of the tests, long enough'],
      importHmacKey: 'the HMAC key of the system that keys were imported from',
    },
    product,
    stores,
    log: logger,
    clock,
    ...(outbound ? { fetch: outbound } : {}),
  });
  services.usage.start();
  // Nobody comes from outside, whatever the issuer says.
  if (demo ?? !config.production) await loadDemo({ ...services, config: { ...config, exposed: null } });
  adjust?.(services);
  const app = createApp(services, { version: '0.0.0-test' });
  const listener = await listen({
    handler: app.handler,
    port,
    hosts: ['127.0.0.1'],
    tls: null,
    maxHeaderBytes: config.maxHeaderBytes,
    onUnreadable: app.onUnreadable,
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  const issuer = new URL(config.issuer);
  const basePath = issuer.pathname.replace(/\/$/, '');
  // In front of an https issuer stands a proxy that ends TLS.
  const asProxy: Record<string, string> = issuer.protocol === 'https:' ? { 'x-forwarded-proto': 'https' } : {};
  const secrets = new Set([
    'correct horse battery staple',
    'demo-web-secret',
    'demo-machine-secret',
    'demo-api-secret',
    'demo-gateway-secret',
  ]);

  function pathOf(pathOrUrl: string): string {
    if (pathOrUrl.startsWith('/')) return basePath + pathOrUrl;
    const url = new URL(pathOrUrl);
    if (url.origin !== issuer.origin) throw new Error(`${pathOrUrl} is not on this server`);
    return url.pathname + url.search;
  }

  function remember(text: string): void {
    for (const [, value] of text.matchAll(SECRET_NAMES)) if (value) secrets.add(decoded(value));
  }

  async function exchange(path: string, { method = 'GET', headers = {}, body }: Request = {}): Promise<Reply> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const outgoing = httpRequest(
        {
          host: '127.0.0.1',
          port,
          agent,
          method,
          path,
          headers: {
            host: issuer.host,
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              cookies: incoming.headers['set-cookie'] ?? [],
              text,
              json: () => JSON.parse(text),
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
    return reply;
  }

  const harness: Harness = {
    issuer: config.issuer,
    config,
    services,
    app,
    log,
    port,
    url: (path) => config.issuer + path,
    sendRaw: exchange,
    async send(pathOrUrl, request = {}) {
      const reply = await exchange(pathOf(pathOrUrl), { ...request, headers: { ...asProxy, ...request.headers } });
      if (typeof request.body === 'string') remember(request.body);
      if (reply.status >= 200 && reply.status < 300 && reply.headers['content-type']?.includes('json'))
        remember(reply.text);
      if (reply.headers.location) remember(reply.headers.location);
      for (const cookie of reply.cookies) {
        const value = /=([^;]{16,})/.exec(cookie)?.[1];
        if (value) secrets.add(value);
      }
      return reply;
    },
    get: (pathOrUrl, headers = {}) => harness.send(pathOrUrl, { headers }),
    post(pathOrUrl, fields, headers = {}) {
      return harness.send(pathOrUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: formBody(fields),
      });
    },
    keepSecret(value) {
      if (value) secrets.add(value);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      app.stop();
      await listener.close(0);
      const audit = await stores.audit.list({ limit: 10_000 }).catch(() => []);
      await services.jobs.stop();
      await services.usage.stop();
      await stores[Symbol.asyncDispose]();
      rmSync(dataDirectory, { recursive: true, force: true });
      const written = `${JSON.stringify(log)}\n${JSON.stringify(audit)}`;
      const leaked = leakedInto(written, secrets);
      if (leaked.length > 0) throw new Error(`credentials reached the log or the audit trail: ${leaked.join(', ')}`);
    },
  };
  return harness;
}

/** As a form has it; JSON may hold a percent sign that means nothing. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** The secrets that stand in a text, which may be long, as may the list. */
function leakedInto(text: string, secrets: ReadonlySet<string>): string[] {
  const words = new Set([...text.split(/[^A-Za-z0-9_-]+/), ...text.split(/[^A-Za-z0-9._-]+/)]);
  return [...secrets].filter((secret) =>
    /^[A-Za-z0-9._-]+$/.test(secret) ? words.has(secret) : text.includes(secret),
  );
}

export function formBody(fields: Fields): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) form.append(name, item);
  }
  return form.toString();
}
