/**
 * A person's browser without JavaScript: a cookie jar, redirects, links and the forms of our pages. A redirect or form that
 * leads to another origin is where the client takes over: it ends in `callback` and nothing is sent there.
 */
import type { Harness, Reply } from './harness.ts';

export const ADA = { email: 'ada@example.com', password: 'correct horse battery staple' };

interface Cookie {
  name: string;
  value: string;
  path: string;
  secure: boolean;
  expires: number;
}

export class CookieJar {
  readonly cookies: Cookie[] = [];

  store(lines: readonly string[], url: URL): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const attribute = (name: string): string | undefined =>
        attributes.find((part) => part.toLowerCase().split('=')[0] === name)?.slice(name.length + 1);
      const [name = ''] = pair.split('=', 1);
      const path = attribute('path') ?? (url.pathname.replace(/\/[^/]*$/, '') || '/');
      const maxAge = attribute('max-age');
      const expiry = attribute('expires');
      const expires = maxAge
        ? Date.now() + Number(maxAge) * 1000
        : expiry
          ? Date.parse(expiry)
          : Number.POSITIVE_INFINITY;
      const secure = attribute('secure') !== undefined;
      if (secure && url.protocol !== 'https:') continue;
      const known = this.cookies.findIndex((cookie) => cookie.name === name && cookie.path === path);
      if (known !== -1) this.cookies.splice(known, 1);
      this.cookies.push({ name, value: pair.slice(name.length + 1), path, secure, expires });
    }
  }

  /** The Cookie header for a URL. */
  header(url: URL): string {
    return this.cookies
      .filter(({ expires }) => expires > Date.now())
      .filter(({ secure }) => !secure || url.protocol === 'https:')
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  get(name: string): string | undefined {
    return this.cookies.findLast((cookie) => cookie.name.endsWith(name))?.value;
  }

  clone(): CookieJar {
    const copy = new CookieJar();
    copy.cookies.push(...this.cookies);
    return copy;
  }
}

export interface Form {
  method: string;
  action: string;
  fields: Record<string, string>;
  /** Texts of its buttons, with the field each of them adds. */
  buttons: { text: string; name: string; value: string }[];
}

/** Where the browser is: on a page of ours, or (then `callback` is set) on its way back to the client. */
export interface Page {
  url: string;
  reply: Reply;
  heading: string;
  /** The words a person sees. */
  text: string;
  forms: Form[];
  callback: URL | null;
  /** What came with the callback: its query, its fragment, or the fields of a form posted to it. */
  answer: URLSearchParams;
}

const MAX_REDIRECTS = 10;

export class Browser {
  readonly jar: CookieJar;
  readonly #harness: Harness;
  /** Every redirect status and target since the last request by hand. */
  trail: { status: number; location: string }[] = [];
  /** Every page that was shown. */
  readonly seen: Page[] = [];
  #page: Page | null = null;

  constructor(harness: Harness, jar: CookieJar = new CookieJar()) {
    this.#harness = harness;
    this.jar = jar;
  }

  /** The page shown now. */
  get page(): Page {
    if (!this.#page) throw new Error('no page was opened yet');
    return this.#page;
  }

  open(url: string): Promise<Page> {
    return this.#go(new URL(url, `${this.#harness.issuer}/`), 'GET', undefined, {});
  }

  /** Sends the form whose action ends like this, or that has a button with this text. */
  async submit(
    which: string,
    fields: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const { forms, url } = this.page;
    const hasButton = (form: Form): boolean => form.buttons.some((button) => button.text.startsWith(which));
    const form = forms.find((candidate) => candidate.action.endsWith(which)) ?? forms.find(hasButton);
    if (!form) throw new Error(`the page "${this.page.heading}" has no form ${which}:\n${this.page.text}`);
    const button = form.buttons.find((candidate) => candidate.text.startsWith(which)) ?? form.buttons[0];
    const all = new URLSearchParams({
      ...form.fields,
      ...(button?.name ? { [button.name]: button.value } : {}),
      ...fields,
    });
    const target = new URL(form.action, url);
    if (target.origin !== new URL(this.#harness.issuer).origin) return this.#leave(target, all, this.page.reply);
    return this.#go(target, form.method, all.toString(), headers);
  }

  signIn({ email, password } = ADA): Promise<Page> {
    return this.submit('/sign-in', { email, password });
  }

  allow(): Promise<Page> {
    return this.submit('Allow');
  }

  deny(): Promise<Page> {
    return this.submit('Deny');
  }

  /** Signs in and allows as often as it is asked to, until the client takes over. */
  async complete(url: string, who = ADA): Promise<Page> {
    await this.open(url);
    for (let step = 0; step < 6 && !this.page.callback; step += 1) {
      const { forms, heading, text } = this.page;
      if (forms.some((form) => form.action.endsWith('/sign-in'))) await this.signIn(who);
      else if (forms.some((form) => form.action.endsWith('/consent'))) await this.allow();
      else if (forms.some((form) => form.buttons.some((button) => button.text === 'Continue')))
        await this.submit('Continue');
      else throw new Error(`no way on from the page "${heading}" (${this.page.reply.status}):\n${text}`);
    }
    if (!this.page.callback)
      throw new Error(`no way back to the client from "${this.page.heading}":\n${this.page.text}`);
    return this.page;
  }

  async #go(url: URL, method: string, body: string | undefined, extra: Record<string, string>): Promise<Page> {
    this.trail = [];
    let next = { url, method, body };
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const reply = await this.#request(next.url, next.method, next.body, extra);
      const { location } = reply.headers;
      if (reply.status < 300 || reply.status >= 400 || !location) return this.#show(next.url, reply);
      this.trail.push({ status: reply.status, location });
      const target = new URL(location, next.url);
      if (target.origin !== url.origin) {
        const answer = new URLSearchParams(target.hash === '' ? target.search : target.hash.slice(1));
        return this.#leave(target, answer, reply);
      }
      next =
        reply.status === 307 || reply.status === 308
          ? { ...next, url: target }
          : { url: target, method: 'GET', body: undefined };
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects from ${url.href}`);
  }

  async #request(url: URL, method: string, body: string | undefined, extra: Record<string, string>): Promise<Reply> {
    const cookie = this.jar.header(url);
    const reply = await this.#harness.send(url.href, {
      method: method.toUpperCase(),
      headers: {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        ...(cookie === '' ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...extra,
      },
      ...(body === undefined ? {} : { body }),
    });
    this.jar.store(reply.cookies, url);
    return reply;
  }

  #show(url: URL, reply: Reply): Page {
    const html = reply.text;
    const page: Page = {
      url: url.href,
      reply,
      heading: plain(/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(html)?.[1] ?? ''),
      text: plain(/<body[^>]*>([\s\S]*)<\/body>/.exec(html)?.[1] ?? html),
      forms: parseForms(html),
      callback: null,
      answer: new URLSearchParams(),
    };
    this.seen.push(page);
    this.#page = page;
    return page;
  }

  #leave(callback: URL, answer: URLSearchParams, reply: Reply): Page {
    this.#page = { url: callback.href, reply, heading: '', text: '', forms: [], callback, answer };
    return this.#page;
  }
}

function parseForms(html: string): Form[] {
  return Array.from(html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g), ([, tag = '', inner = '']) => ({
    method: attributeOf(tag, 'method') ?? 'get',
    action: attributeOf(tag, 'action') ?? '',
    fields: Object.fromEntries(
      Array.from(inner.matchAll(/<input\b([^>]*)>/g), ([, input = '']) => [
        attributeOf(input, 'name') ?? '',
        attributeOf(input, 'value') ?? '',
      ]),
    ),
    buttons: Array.from(inner.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g), ([, button = '', text = '']) => ({
      text: plain(text),
      name: attributeOf(button, 'name') ?? '',
      value: attributeOf(button, 'value') ?? '',
    })),
  }));
}

function attributeOf(tag: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : unescapeHtml(value);
}

const plain = (html: string): string =>
  unescapeHtml(html.replace(/<(style|script)\b[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim();

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
const unescapeHtml = (text: string): string =>
  text.replace(/&([a-z]+|#39);/g, (all, name: string) => ENTITIES[name] ?? all);
