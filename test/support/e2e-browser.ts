/** Chromium as a user has it, with everything it complains about on record. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

/** The client's side: a server that remembers what it was sent. */
export interface CallbackServer {
  readonly origin: string;
  readonly callback: string;
  /** The parameters of every callback so far, from the query or from the form that was posted. */
  readonly received: { method: string; parameters: URLSearchParams }[];
  /** The newest; throws when there is none. */
  last(): URLSearchParams;
  close(): Promise<void>;
}

export async function startCallbackServer(): Promise<CallbackServer> {
  const received: CallbackServer['received'] = [];
  const server = createServer(async (req, res) => {
    const url = new URL(req.url ?? '/', 'http://client');
    let body = '';
    for await (const chunk of req) body += chunk;
    if (url.pathname === '/callback') {
      const method = req.method ?? 'GET';
      received.push({ method, parameters: method === 'POST' ? new URLSearchParams(body) : url.searchParams });
    }
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(
      `<!doctype html><html lang="en"><title>Client</title><link rel="icon" href="data:,"><h1>${url.pathname}</h1></html>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    callback: `${origin}/callback`,
    received,
    last() {
      const newest = received.at(-1);
      if (!newest) throw new Error('the client was not called');
      return newest.parameters;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Surfer {
  readonly context: BrowserContext;
  tab(): Promise<Page>;
  /** Console errors and warnings, uncaught errors, blocked or failed requests, requests that leave for other sites. */
  complaints(): string[];
  close(): Promise<void>;
}

const REPORT_VIOLATIONS = `document.addEventListener('securitypolicyviolation', (event) => {
  reportViolation(event.effectiveDirective + ' blocks ' + event.blockedURI + ' on ' + location.pathname);
});`;

/** Chromium notes every document with an error status; the tests that ask for one say so. */
const ERROR_STATUS = /^console error: Failed to load resource: the server responded with a status of (4\d\d)/;

/**
 * @param options.expectedStatuses error statuses that pages of the test have on purpose
 * @param options.sites origins that requests may go to
 */
export async function openSurfer(
  browser: Browser,
  {
    sites,
    expectedStatuses = [],
    ...options
  }: BrowserContextOptions & { sites: readonly string[]; expectedStatuses?: number[] },
): Promise<Surfer> {
  const context = await browser.newContext(options);
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    const complaint = `console ${message.type()}: ${message.text()}`;
    const status = ERROR_STATUS.exec(complaint)?.[1];
    if (!status || !expectedStatuses.includes(Number(status)))
      complaints.push(`${complaint} (${message.location().url})`);
  });
  context.on('weberror', (event) => complaints.push(`uncaught: ${event.error().message}`));
  context.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    // A click that leaves a page ends what it was still loading.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`${reason}: ${request.url()}`);
  });
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && !sites.includes(origin)) complaints.push(`a request to ${request.url()}`);
  });
  await context.exposeBinding('reportViolation', (_source, text: string) => complaints.push(`CSP: ${text}`));
  await context.addInitScript(REPORT_VIOLATIONS);
  return {
    context,
    async tab() {
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      return page;
    },
    complaints: () => [...complaints],
    close: () => context.close(),
  };
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The accessibility problems of the page, one line each. @param rules all of axe's unless told */
export async function accessibilityProblems(page: Page, rules?: readonly string[]): Promise<string[]> {
  // Through the debugger, so that the page's policy does not concern it.
  await page.evaluate(AXE);
  const options = { resultTypes: ['violations'], ...(rules ? { runOnly: { type: 'rule', values: rules } } : {}) };
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
}

interface AxeResults {
  violations: { id: string; help: string; nodes: { html: string }[] }[];
}
