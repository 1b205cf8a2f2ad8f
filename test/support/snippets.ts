/**
 * The examples of a documentation page, run as they stand: bash by bash with the machine's curl, JavaScript by Node, Python by
 * python3. Only what `substituted` names is changed, and that is for hosts and credentials.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './at-exit.ts';

/** A fenced block of a page. */
export interface Snippet {
  language: string;
  /** The nearest heading above it, without its marks. */
  heading: string;
  text: string;
}

/** What came back for one request of a snippet. */
export interface Exchange {
  status: number;
  /** Names in small letters; of a repeated header the last. */
  headers: Record<string, string>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it.
  json(): any;
}

export interface SnippetRunner {
  /** Runs bash; the answers of its curl commands, in order. */
  bash(text: string, env?: Record<string, string>): Promise<Exchange[]>;
  /**
   * Runs an ES module. `prelude` runs before it and may define globals that the page leaves to the reader. Rejects when it
   * fails, unless `mayFail`.
   */
  javascript(
    text: string,
    options?: { prelude?: string; env?: Record<string, string>; mayFail?: boolean },
  ): Promise<{ exchanges: Exchange[]; output: string }>;
  /** Runs Python after a prelude; what it printed. */
  python(text: string, options?: { prelude?: string; env?: Record<string, string> }): Promise<string>;
}

const HEADING = /^#{1,6}\s+(.+?)\s*$|^\*\*(.+?)\*\*\s*$/;

export function snippetsOf(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let heading = '';
  let open: { language: string; lines: string[] } | null = null;
  for (const line of page.split('\n')) {
    if (open && line === '```') {
      snippets.push({ language: open.language, heading, text: `${open.lines.join('\n')}\n` });
      open = null;
    } else if (open) {
      open.lines.push(line);
    } else if (line.startsWith('```')) {
      open = { language: /^```(\w*)/.exec(line)?.[1] ?? '', lines: [] };
    } else {
      const [, title, bold] = HEADING.exec(line) ?? [];
      heading = title ?? bold ?? heading;
    }
  }
  return snippets;
}

/** Which snippets of which page were asked for. */
const used = new Map<string, Set<string>>();

/** The only snippet of a language under a heading, or the one with this number, from 0. */
export function snippetOf(page: string, language: string, heading: string, number?: number): string {
  const found = snippetsOf(page).filter(
    (snippet) => snippet.language === language && snippet.heading.startsWith(heading),
  );
  const chosen = number === undefined && found.length === 1 ? found[0] : found[number ?? -1];
  if (!chosen) throw new Error(`${found.length} ${language} blocks under "${heading}"`);
  used.set(page, (used.get(page) ?? new Set()).add(chosen.text));
  return chosen.text;
}

/** The snippets of a page that no test has asked for: what would be left of a page that is not tested word for word. */
export function unusedSnippets(page: string): string[] {
  return snippetsOf(page)
    .filter(({ language, text }) => language !== '' && !used.get(page)?.has(text))
    .map(({ language, heading }) => `${language}: ${heading}`);
}

/** The text with hosts and credentials of ours. Each must occur, so that a test cannot send a request nobody documents. */
export function substituted(text: string, substitutes: Record<string, string>): string {
  for (const name of Object.keys(substitutes)) {
    if (!text.includes(name)) throw new Error(`the page does not say ${name}:\n${text}`);
  }
  const names = Object.keys(substitutes).sort((a, b) => b.length - a.length);
  const any = new RegExp(names.map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return text.replace(any, (name) => substitutes[name] ?? name);
}

/** A block that is no command but names a request: `POST /api/keys`. */
export function requestLine(text: string): { method: string; path: string } {
  const [, method, path] = /^([A-Z]+) (\/\S*)\n$/.exec(text) ?? [];
  if (method === undefined || path === undefined) throw new Error(`not a request line: ${text}`);
  return { method, path };
}

/** The rows of the only table under a heading, without its head; cells without their marks. */
export function tableOf(page: string, heading: string): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => HEADING.test(line) && line.includes(heading));
  const rows = lines.slice(start + 1);
  const end = rows.findIndex((line) => HEADING.test(line));
  const table = rows.slice(0, end === -1 ? undefined : end).filter((line) => line.startsWith('|'));
  if (start === -1 || table.length < 3) throw new Error(`no table under "${heading}"`);
  return table.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

const REPLY = /\n--reply (\d+)\n([\s\S]*?)\n--end\n/g;

/** @param ca file of the certificate to trust, PEM */
export function createSnippetRunner({ ca }: { ca: string }): SnippetRunner {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-snippets-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  // curl reads it by itself, so the commands stay as they are.
  writeFileSync(
    join(folder, '.curlrc'),
    `silent\nshow-error\ncacert = "${ca}"\nwrite-out = "\\n--reply %{http_code}\\n%{header_json}\\n--end\\n"\n`,
  );
  let files = 0;
  function file(kind: string, text: string): string {
    files += 1;
    const path = join(folder, `${files}.${kind}`);
    writeFileSync(path, text);
    return path;
  }

  async function run(command: string, args: string[], env: Record<string, string>): Promise<Ran> {
    const child = spawn(command, args, {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', HOME: folder, CURL_HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    });
    const ran: Ran = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ran.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ran.stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ ...ran, code }));
    });
  }

  return {
    async bash(text, env = {}) {
      const { code, stdout, stderr } = await run('bash', ['-e', '-c', text], env);
      if (code !== 0) throw new Error(`bash ended with ${code}:\n${stderr}\n${text}`);
      let end = 0;
      return Array.from(stdout.matchAll(REPLY), (match) => {
        const [all, status, headers = '{}'] = match;
        const body = stdout.slice(end, match.index);
        end = match.index + all.length;
        const named = Object.entries(JSON.parse(headers) as Record<string, string[]>);
        return exchange(
          Number(status),
          Object.fromEntries(named.map(([name, values]) => [name.toLowerCase(), values.at(-1) ?? ''])),
          body,
        );
      });
    },

    async javascript(text, { prelude = '', env = {}, mayFail = false } = {}) {
      const replies = join(folder, `replies-${files}.json`);
      const before = file('mjs', `${recorder(replies)}\n${prelude}`);
      const { code, stdout, stderr } = await run(process.execPath, ['--import', before, file('mjs', text)], {
        NODE_EXTRA_CA_CERTS: ca,
        NODE_NO_WARNINGS: '1',
        ...env,
      });
      if (code !== 0 && !mayFail) throw new Error(`node ended with ${code}:\n${stderr}\n${text}`);
      const recorded = JSON.parse(readFileSync(replies, 'utf8')) as Pick<Exchange, 'status' | 'headers' | 'text'>[];
      return {
        exchanges: recorded.map(({ status, headers, text: body }) => exchange(status, headers, body)),
        output: stdout,
      };
    },

    async python(text, { prelude = '', env = {} } = {}) {
      const path = file('py', `${prelude}\n${text}`);
      const { code, stdout, stderr } = await run('/usr/bin/env', ['python3', path], { SSL_CERT_FILE: ca, ...env });
      if (code !== 0) throw new Error(`python3 ended with ${code}:\n${stderr}\n${text}`);
      return stdout;
    },
  };
}

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

const exchange = (status: number, headers: Record<string, string>, text: string): Exchange => ({
  status,
  headers,
  text,
  json: () => JSON.parse(text),
});

/** Notes every answer that `fetch` gets, whatever the page does with it. */
const recorder = (path: string): string => `
import { writeFileSync } from 'node:fs';
const plainFetch = globalThis.fetch;
const replies = [];
globalThis.fetch = async (...args) => {
  const response = await plainFetch(...args);
  replies.push({ status: response.status, headers: Object.fromEntries(response.headers), text: await response.clone().text() });
  return response;
};
process.on('exit', () => writeFileSync(${JSON.stringify(path)}, JSON.stringify(replies)));
`;
