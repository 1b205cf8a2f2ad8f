/**
 * A product that put Gatehouse behind its published API: nginx ends TLS for its host, asks /forward-auth before a request
 * reaches the product's own server (which writes down what arrives), and hands Gatehouse's paths to Gatehouse.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../../support/at-exit.ts';
import { type Identity, makeIdentity } from '../../support/certificates.ts';
import { createPortFetch, type Fetch } from '../../support/e2e-fetch.ts';
import { freePort } from '../../support/free-port.ts';
import { type Harness, type HarnessOptions, type Reply, type Request, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import { createSnippetRunner, type SnippetRunner } from '../../support/snippets.ts';

/** What reached the product's own server. */
export interface Arrival {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface PublishedApi {
  harness: Harness;
  /** Where it is published: `https://localhost:PORT`. */
  url: string;
  run: SnippetRunner;
  /** Reaches nginx from outside. */
  fetch: Fetch;
  /** A certificate for a client that nobody but itself signed. */
  clientIdentity(name: string): Identity;
  /** Everything that reached the product's own server, newest last. */
  arrivals: Arrival[];
  close(): Promise<void>;
}

export interface PublishedApiOptions {
  dialect: string;
  /** Paths of the product's own server, as nginx writes them: `/api/v1/`. */
  protect: string;
  /** What /forward-auth is asked to require: `scope=read&environment=live`. */
  require?: string;
  /** Answers for the product; default 200 with `{ "ok": true }`. */
  answer?: (arrival: Arrival) => Promise<{ status: number; body: object }>;
  /** More of nginx's configuration, beside what `protect` makes. */
  locations?: (parts: { harness: Harness; ask: string; denied: string; product: string }) => Promise<string>;
  harness?: HarnessOptions;
}

const CERTIFICATE_HEADER = 'Client-Cert';

export const pageOf = (dialect: string): string =>
  readFileSync(new URL(`./pages/${dialect}.md`, import.meta.url), 'utf8');

/** For a `before` hook. */
export async function publish(
  context: Mocha.Context,
  { dialect, protect, require = '', answer, locations, harness: options = {} }: PublishedApiOptions,
): Promise<PublishedApi> {
  const startNginx = await requirePart('nginx', context);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-published-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeIdentity(folder, 'localhost');

  const port = await freePort();
  const url = `https://localhost:${port}`;
  // Closed in reverse order, here if something fails to start.
  await using parts = new AsyncDisposableStack();
  const harness = parts.use(
    await startHarness({
      ...options,
      env: {
        GATEHOUSE_DIALECT: dialect,
        ISSUER: url,
        GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1',
        GATEHOUSE_CLIENT_CERTIFICATE_HEADER: CERTIFICATE_HEADER,
        ...options.env,
      },
    }),
  );
  const product = await startProduct(answer ?? (async () => ({ status: 200, body: { ok: true } })));
  parts.defer(product.close);
  const gatehouse = `http://127.0.0.1:${harness.config.port}`;
  /** The question to /forward-auth. */
  const ask = `internal;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header ${CERTIFICATE_HEADER} $ssl_client_escaped_cert;
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Original-Host $http_host;
      proxy_set_header X-Original-URI $request_uri;`;
  /** What becomes of a no. */
  const denied = `auth_request_set $auth_status $upstream_http_x_auth_status;
      auth_request_set $auth_error $upstream_http_x_auth_error;
      auth_request_set $auth_challenge $upstream_http_www_authenticate;
      auth_request_set $retry_after $upstream_http_retry_after;
      auth_request_set $rate_limit $upstream_http_ratelimit;
      error_page 401 403 = @denied;`;
  const more = (await locations?.({ harness, ask, denied, product: product.url })) ?? '';
  const nginx = await startNginx({
    locations: `
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${identity.certFile};
    ssl_certificate_key ${identity.keyFile};
    ssl_verify_client optional_no_ca;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header ${CERTIFICATE_HEADER} $ssl_client_escaped_cert;

    location / {
      proxy_pass ${gatehouse};
    }
    location = /_gatehouse {
      ${ask}
      proxy_pass ${gatehouse}/forward-auth?mode=nginx&${require};
    }
    location ${protect} {
      auth_request /_gatehouse;
      ${denied}
      auth_request_set $subject $upstream_http_x_auth_subject;
      auth_request_set $key_id $upstream_http_x_auth_key_id;
      auth_request_set $namespace $upstream_http_x_auth_namespace;
      auth_request_set $environment $upstream_http_x_auth_environment;
      auth_request_set $scopes $upstream_http_x_auth_scopes;
      auth_request_set $method $upstream_http_x_auth_method;
      proxy_set_header Host $http_host;
      proxy_set_header X-Auth-Subject $subject;
      proxy_set_header X-Auth-Key-Id $key_id;
      proxy_set_header X-Auth-Namespace $namespace;
      proxy_set_header X-Auth-Environment $environment;
      proxy_set_header X-Auth-Scopes $scopes;
      proxy_set_header X-Auth-Method $method;
      proxy_pass ${product.url};
    }
    location @denied {
      default_type application/json;
      add_header Retry-After $retry_after always;
      add_header RateLimit $rate_limit always;
      if ($auth_status = 400) { return 400 $auth_error; }
      if ($auth_status = 429) { return 429 $auth_error; }
      # Of a 401 nginx passes the challenge on by itself.
      if ($auth_status = 403) {
        add_header WWW-Authenticate $auth_challenge always;
        return 403 $auth_error;
      }
      return 401 $auth_error;
    }
    ${more}`,
  });
  parts.defer(nginx.stop);
  const outside = createPortFetch(port, { ca: identity.cert });
  parts.defer(outside.close);
  const started = parts.move();
  return {
    harness,
    url,
    run: createSnippetRunner({ ca: identity.certFile }),
    clientIdentity: (name) => makeIdentity(folder, name),
    fetch: outside.fetch,
    arrivals: product.arrivals,
    close: () => started.disposeAsync(),
  };
}

/** A JSON request to Gatehouse, past nginx. */
export function json(
  harness: Harness,
  method: string,
  path: string,
  body?: object,
  headers: Request['headers'] = {},
): Promise<Reply> {
  return harness.send(path, {
    method,
    headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

export const bearer = (text: string): { authorization: string } => ({ authorization: `Bearer ${text}` });

/** The members of a good answer; fails with the whole answer when it is not good. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
export function good(reply: Pick<Reply, 'status' | 'text' | 'json'>): any {
  if (reply.status >= 300) throw new Error(`${reply.status} ${reply.text}`);
  return reply.text === '' ? null : reply.json();
}

let people = 0;

/** A user of the product, signed in. */
export async function signedIn(
  harness: Harness,
): Promise<{ email: string; password: string; id: string; token: string }> {
  people += 1;
  const [email, password] = [`user-${people}@example.com`, `a long enough password ${people}`];
  harness.keepSecret(password);
  const { id } = await harness.services.manageAccounts.create({ email, password });
  return { email, password, id, token: await tokenOf(harness, { email, password }) };
}

/** A token of the product's own login, or of the canonical one where it has none. */
export async function tokenOf(harness: Harness, user: { email: string; password: string }): Promise<string> {
  const { routes } = harness.services.product.dialect;
  const [key = 'POST /v1/auth/login', route] =
    Object.entries(routes).find(([, { operation }]) => operation === 'login') ?? [];
  const [name = 'email'] = Object.keys(route?.names ?? {});
  const [method = '', path = ''] = key.split(' ');
  const answer = good(await json(harness, method, path, { [name]: user.email, password: user.password }));
  return answer.access_token ?? answer.token;
}

/** A key of a user, made by their sign-in. */
export async function apiKeyOf(
  harness: Harness,
  user: { token: string },
  given: object = {},
): Promise<{ key: string; id: string }> {
  const made = good(await json(harness, 'POST', '/v1/api-keys', { name: 'A key', ...given }, bearer(user.token)));
  harness.keepSecret(made.key);
  return made;
}

async function startProduct(
  answer: NonNullable<PublishedApiOptions['answer']>,
): Promise<{ url: string; arrivals: Arrival[]; close: () => Promise<void> }> {
  const arrivals: Arrival[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { method = '', url = '', headers } = request;
      const arrival = { method, url, headers, body: Buffer.concat(chunks).toString() };
      arrivals.push(arrival);
      const { status, body } = await answer(arrival).catch((error: Error) => ({
        status: 500,
        body: { error: error.message },
      }));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
