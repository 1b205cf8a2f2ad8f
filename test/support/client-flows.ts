/** The client's and the browser's side of OAuth, spoken directly: for tests that need many tokens, or wrong requests. */
import { createHash, randomBytes } from 'node:crypto';
import type { Fetch } from './e2e-fetch.ts';

export const USER = { email: 'ada@example.com', password: 'correct horse battery staple' } as const;

/** What a browser is shown, or where it leaves the issuer for. */
export type Stop = { left: URL } | { page: Page };

export interface Page {
  url: string;
  status: number;
  headers: Headers;
  html: string;
}

export interface UserAgent {
  /** Follows redirects until a page is shown or the client's redirect URI is reached. */
  open(url: string | URL): Promise<Stop>;
  /** Sends the form whose action ends so, with its hidden fields. */
  submit(page: Page, action: string, fields?: Record<string, string>): Promise<Stop>;
  /** Through sign-in and consent, to the client. */
  authorize(url: string | URL, user?: { email: string; password: string }): Promise<URL>;
  /** Name to value, of all paths. */
  cookies(): Map<string, string>;
  /** The next request goes through this process. */
  use(fetch: Fetch): void;
}

interface Cookie {
  name: string;
  value: string;
  path: string;
}

const MOST_REDIRECTS = 10;
const MOST_PAGES = 5;

/** A browser without scripts and looks: cookies, redirects, forms. */
export function createUserAgent(given: Fetch, issuer: string): UserAgent {
  let fetch = given;
  const jar = new Map<string, Cookie>();
  const { origin } = new URL(issuer);

  async function request(url: string, form?: Record<string, string>): Promise<Response> {
    const { pathname } = new URL(url);
    const cookie = [...jar.values()]
      .filter(({ path }) => pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const headers = { accept: 'text/html', ...(cookie ? { cookie } : {}), ...(form ? { origin } : {}) };
    const body = form ? { method: 'POST', body: new URLSearchParams(form) } : {};
    const response = await fetch(url, { headers, ...body });
    for (const line of response.headers.getSetCookie()) keep(line);
    return response;
  }

  function keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(name.length + 1);
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice(8);
    if (value === '' || (expires !== undefined && Date.parse(expires) <= Date.now())) jar.delete(name + path);
    else jar.set(name + path, { name, value, path });
  }

  async function follow(url: string, form?: Record<string, string>): Promise<Stop> {
    let at = url;
    let response = await request(at, form);
    for (let redirects = 0; redirects < MOST_REDIRECTS; redirects += 1) {
      const location = response.headers.get('location');
      if (location === null) {
        const html = await response.text();
        return { page: { url: at, status: response.status, headers: response.headers, html } };
      }
      const next = new URL(location, at);
      if (next.origin !== origin) return { left: next };
      at = next.href;
      response = await request(at);
    }
    throw new Error(`more than ${MOST_REDIRECTS} redirects, the last to ${at}`);
  }

  const agent: UserAgent = {
    open: (url) => follow(new URL(url).href),
    submit(page, action, fields = {}) {
      const form = formsOf(page).find((candidate) => new URL(candidate.action).pathname.endsWith(action));
      if (!form) throw new Error(`no form to ${action} on ${page.url} (${page.status}):\n${page.html}`);
      return follow(form.action, { ...form.hidden, ...fields });
    },
    async authorize(url, user = USER) {
      let stop = await agent.open(url);
      for (let pages = 0; pages < MOST_PAGES; pages += 1) {
        if ('left' in stop) return stop.left;
        const { page } = stop;
        if (page.status >= 400) throw new Error(`${page.status} at ${page.url}:\n${page.html}`);
        const asksPassword = /name="password"/.test(page.html);
        stop = asksPassword
          ? await agent.submit(page, '/sign-in', { email: user.email, password: user.password })
          : await agent.submit(page, '/consent');
      }
      throw new Error('the sign-in never ended');
    },
    cookies: () => new Map(Array.from(jar.values(), ({ name, value }) => [name, value])),
    use(other) {
      fetch = other;
    },
  };
  return agent;
}

export interface Form {
  action: string;
  hidden: Record<string, string>;
}

export function formsOf({ html, url }: Pick<Page, 'html' | 'url'>): Form[] {
  return Array.from(html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g), ([, head = '', body = '']) => {
    const hidden = Array.from(body.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g), ([input]): [string, string] => [
      attribute(input, 'name'),
      attribute(input, 'value'),
    ]);
    return { action: new URL(attribute(head, 'action'), url).href, hidden: Object.fromEntries(hidden) };
  });
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  return value
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

/** A client as a test holds it: its id and how it authenticates. */
export interface ClientCredentials {
  id: string;
  secret?: string;
}

export interface TokenAnswer {
  status: number;
  headers: Headers;
  body: {
    access_token?: string;
    refresh_token?: string;
    id_token?: string;
    token_type?: string;
    scope?: string;
    expires_in?: number;
    active?: boolean;
    error?: string;
    error_description?: string;
  };
}

/** A POST of a form to an endpoint that answers in JSON. */
export async function post(
  fetch: Fetch,
  url: string,
  client: ClientCredentials,
  parameters: Record<string, string>,
): Promise<TokenAnswer> {
  const basic = client.secret === undefined ? undefined : `Basic ${btoa(`${client.id}:${client.secret}`)}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: basic ? { authorization: basic } : {},
    body: new URLSearchParams(basic ? parameters : { client_id: client.id, ...parameters }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}

/** The endpoints of an issuer, at their default paths. */
export function createClientFlows({ issuer, redirectUri }: { issuer: string; redirectUri: string }) {
  const at = (path: string): string => `${issuer}/oauth2/${path}`;

  const flows = {
    authorizationUrl(clientId: string, verifier: string, extra: Record<string, string> = {}): URL {
      const url = new URL(at('authorize'));
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: 'openid offline_access read',
        code_challenge: challengeOf(verifier),
        code_challenge_method: 'S256',
        ...extra,
      }).toString();
      return url;
    },
    /** A fresh code; without interaction when the browser is signed in and its user consented before. */
    async code(agent: UserAgent, clientId: string, extra: Record<string, string> = {}): Promise<IssuedCode> {
      const verifier = newVerifier();
      const callback = await agent.authorize(flows.authorizationUrl(clientId, verifier, extra));
      const code = callback.searchParams.get('code');
      if (!code) throw new Error(`no code in ${callback.href}`);
      return { code, verifier };
    },
    redeem: (fetch: Fetch, client: ClientCredentials, { code, verifier }: IssuedCode): Promise<TokenAnswer> =>
      post(fetch, at('token'), client, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
      }),
    refresh: (fetch: Fetch, client: ClientCredentials, refreshToken: string): Promise<TokenAnswer> =>
      post(fetch, at('token'), client, { grant_type: 'refresh_token', refresh_token: refreshToken }),
    clientCredentials: (
      fetch: Fetch,
      client: ClientCredentials,
      extra: Record<string, string> = {},
    ): Promise<TokenAnswer> => post(fetch, at('token'), client, { grant_type: 'client_credentials', ...extra }),
    revoke: (fetch: Fetch, client: ClientCredentials, token: string): Promise<TokenAnswer> =>
      post(fetch, at('revoke'), client, { token }),
    introspect: (fetch: Fetch, api: ClientCredentials, token: string): Promise<TokenAnswer> =>
      post(fetch, at('introspect'), api, { token }),
    async isActive(fetch: Fetch, api: ClientCredentials, token: string): Promise<boolean> {
      const { status, body } = await flows.introspect(fetch, api, token);
      if (status !== 200 || body.active === undefined) throw new Error(`introspection: ${status} ${body.error}`);
      return body.active;
    },
  };
  return flows;
}

export type ClientFlows = ReturnType<typeof createClientFlows>;

export interface IssuedCode {
  code: string;
  verifier: string;
}

export const newVerifier = (): string => randomBytes(32).toString('base64url');

export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

/** The token of an answer that must have one. */
export function tokenOf(answer: TokenAnswer, name: 'access_token' | 'refresh_token' | 'id_token'): string {
  const token = answer.body[name];
  if (answer.status !== 200 || token === undefined) {
    throw new Error(`no ${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return token;
}
