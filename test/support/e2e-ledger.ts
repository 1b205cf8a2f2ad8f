/** Every credential that crossed the wire, to be looked for where none may be. */
import type { Fetch } from './e2e-fetch.ts';

export interface Ledger {
  /** The same fetch; what its requests and answers carry goes on record. */
  watch(fetch: Fetch): Fetch;
  add(what: string, value: string | undefined): void;
  /** How many different credentials are on record. */
  size(): number;
  /** What was found in the text, in clear or in a usual encoding. */
  foundIn(text: string): string[];
}

const SECRET_FIELDS = [
  ...['access_token', 'refresh_token', 'id_token', 'code', 'client_secret', 'client_assertion', 'code_verifier'],
  ...['password', 'token', 'xsrf'],
];
/** Shorter ones would be found by accident. */
const SHORTEST = 16;

export function createLedger(): Ledger {
  const entries = new Map<string, string>();

  const ledger: Ledger = {
    add(what, value) {
      if (value !== undefined && value.length >= SHORTEST && !entries.has(value)) entries.set(value, what);
    },
    watch: (fetch) => async (url, init) => {
      if (init?.body instanceof URLSearchParams) addFields('sent', Object.fromEntries(init.body));
      const { searchParams } = new URL(url);
      addFields('sent', Object.fromEntries(searchParams));
      const basic = /^Basic (.+)$/.exec(new Headers(init?.headers).get('authorization') ?? '')?.[1];
      if (basic) ledger.add('client secret', decodeURIComponent(atob(basic).split(':')[1] ?? ''));

      const response = await fetch(url, init);
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
        ledger.add(`cookie ${name}`, value);
        ledger.add(`device id`, name.endsWith('device') ? value.split('.')[0] : undefined);
      }
      const location = response.headers.get('location');
      if (location) addFields('redirect', Object.fromEntries(new URL(location, url).searchParams));
      if (response.headers.get('content-type')?.includes('json')) {
        addFields('answer', (await response.clone().json()) as Record<string, unknown>);
      }
      return response;
    },
    size: () => entries.size,
    foundIn(text) {
      return [...entries].flatMap(([value, what]) => {
        const bytes = Buffer.from(value);
        const forms = {
          'in clear': value,
          'in base64': bytes.toString('base64').replace(/=+$/, ''),
          'in base64url': bytes.toString('base64url'),
          'in hexadecimal': bytes.toString('hex'),
        };
        return Object.entries(forms)
          .filter(([, form]) => text.includes(form))
          .map(([how]) => `${what} ${how}: ${value.slice(0, 12)}…`);
      });
    },
  };

  function addFields(where: string, fields: Record<string, unknown>): void {
    for (const name of SECRET_FIELDS) {
      const value = fields[name];
      if (typeof value !== 'string') continue;
      ledger.add(`${name} (${where})`, value);
      // The signature makes a JWT usable; a log may cut it in parts.
      if (value.split('.').length === 3) ledger.add(`signature of a ${name}`, value.split('.')[2]);
    }
  }

  return ledger;
}
