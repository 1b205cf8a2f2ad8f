/** Requests as fast-check makes them: some almost right, some from people who try things, some from broken programs. */
import fc from 'fast-check';
import type { Reply, Request } from '../../support/harness.ts';

/** An endpoint and what is known of it. */
export interface Door {
  name: string;
  method: 'GET' | 'POST';
  /** `PLACE-…` in it, and in every value, is filled in when the request is sent. */
  path: string;
  /** Requests that are right, to be spoiled. */
  templates: { fields: Record<string, string>; authorization?: string }[];
  /** Names and values that lead somewhere, to mix with those that do not. */
  parameters: string[];
  values: string[];
  authorizations?: string[];
  /** Statuses that must have been seen, or the generator would not reach what it is for. */
  reaches: number[];
  /** Of the requests an endpoint gets; default 1. */
  share?: number;
  check: (reply: Reply) => void;
}

const NASTY = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\r\nX-Injected: yes',
  '\ud800',
  'x\udfff',
  '\u202egnp',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  '%00',
  '%',
  "' or 1=1 --",
  '"><script>alert(1)</script>',
  '{{7*7}}',
  'null',
  'undefined',
  'true',
  '-1',
  '1e400',
  '[]',
  '{}',
  'javascript:alert(1)',
  'http://169.254.169.254/latest/meta-data',
  'a.b.c',
  'eyJhbGciOiJub25lIn0.e30.',
  'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ.e30.AAAA',
  // A header without a kid, a payload that is no object, numbers beyond all bounds.
  'eyJhbGciOiJFUzI1NiJ9.bnVsbA.AAAA',
  'bnVsbA.bnVsbA.bnVsbA',
  'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZW1vLWp3dCIsImV4cCI6MWU0MDB9.AAAA',
  `${'A'.repeat(500)}.${'A'.repeat(500)}.${'A'.repeat(500)}`,
  `gat_${'A'.repeat(43)}`,
  `grt_${'A'.repeat(43)}`,
  `gac_${'A'.repeat(43)}`,
  'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  'x'.repeat(3000),
  'x'.repeat(70_000),
  'x'.repeat(20_000),
  '日本語 🚪',
  'İ',
  'ﬀ@example.com',
];

const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 20 }),
  // Lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 }).map((units) => String.fromCharCode(...units)),
);

const HEADER_NAMES = [
  'accept',
  'accept-language',
  'authorization',
  'cookie',
  'content-type',
  'content-encoding',
  'origin',
  'referer',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-request-id',
  'sec-fetch-site',
  'if-none-match',
  'range',
  'dpop',
  'forwarded',
  'access-control-request-method',
  'access-control-request-headers',
];

/** What Node lets through in a header. */
const headerText = fc
  .oneof(anyText, fc.constantFrom('*/*', 'text/html', 'application/json', 'null', 'gzip', 'same-site'))
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 2000));

const BROKEN_FORMS = ['%', '%zz=1', '=', '&&&&', 'a', '=a', 'a=%ff', '%ff=a', 'a=b&'.repeat(200), 'x=%ed%a0%80'];

const anyJson = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    '{"__proto__":{"x":1}}',
    '{"a":',
    '['.repeat(3000),
    '\ud800',
    '{"grant_type":["a","b"]}',
    '{"token":{}}',
  ),
);

const CONTENT_TYPES = [
  'application/json',
  'application/x-www-form-urlencoded; charset=utf-16',
  'text/plain',
  'multipart/form-data',
  'application/json; charset=x',
  '',
];

interface Draft {
  pairs: [string, string][];
  authorization: string | undefined;
}

type Spoil = (draft: Draft) => void;

/** Mostly nothing. */
const onceIn = <T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** One change to a request that was right. */
function anySpoil({ parameters, values, authorizations = [] }: Door): fc.Arbitrary<Spoil> {
  const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...parameters) }, anyText);
  const value = fc.oneof(fc.constantFrom(...values), anyText);
  const header = fc.oneof(fc.constantFrom('Basic', 'Basic !!!', 'Bearer', 'Basic Og==', ...authorizations), headerText);
  return fc.oneof(
    fc.tuple(fc.nat(), value).map(
      ([at, text]): Spoil =>
        ({ pairs }) => {
          const pair = pairs[at % Math.max(1, pairs.length)];
          if (pair) pair[1] = text;
        },
    ),
    fc.tuple(name, value).map(
      (pair): Spoil =>
        ({ pairs }) =>
          void pairs.push([...pair]),
    ),
    fc.nat().map(
      (at): Spoil =>
        ({ pairs }) =>
          void pairs.splice(at % Math.max(1, pairs.length), 1),
    ),
    fc.nat().map(
      (at): Spoil =>
        ({ pairs }) => {
          const pair = pairs[at % Math.max(1, pairs.length)];
          if (pair) pairs.push([...pair]);
        },
    ),
    onceIn(4, header).map(
      (text): Spoil =>
        (draft) => {
          draft.authorization = text;
        },
    ),
  );
}

export function anyRequest(door: Door): fc.Arbitrary<Request & { path: string }> {
  const draft = fc
    .tuple(fc.constantFrom(...door.templates), fc.array(anySpoil(door), { maxLength: 3 }))
    .map(([{ fields, authorization }, spoils]) => {
      const made: Draft = { pairs: Object.entries(fields), authorization };
      for (const spoil of spoils) spoil(made);
      return made;
    });
  const wild = fc.oneof(
    fc.constantFrom(...BROKEN_FORMS),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    anyJson,
  );
  return fc
    .record({
      draft,
      headers: fc.dictionary(fc.constantFrom(...HEADER_NAMES), headerText, { maxKeys: 2 }),
      hasHeaders: fc.integer({ min: 0, max: 3 }),
      /** In place of the form. */
      wild: onceIn(8, wild),
      asJson: onceIn(8, fc.constant(true)),
      type: onceIn(12, fc.constantFrom(...CONTENT_TYPES)),
      query: onceIn(12, fc.constantFrom(...BROKEN_FORMS, 'x=1', 'token=x')),
      ip: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `10.${parts.join('.')}`),
      method: fc.oneof(
        { weight: 25, arbitrary: fc.constant(door.method) },
        fc.constantFrom('GET', 'POST', 'PUT', 'OPTIONS', 'DELETE', 'HEAD'),
      ),
    })
    .map(({ draft: { pairs, authorization }, headers, hasHeaders, wild, asJson, type, query, ip, method }) => {
      const form = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
      const withBody = method !== 'GET' && method !== 'HEAD' && door.method === 'POST';
      const body = wild ?? (asJson ? JSON.stringify(Object.fromEntries(pairs)) : form);
      const contentType = type ?? (asJson ? 'application/json' : 'application/x-www-form-urlencoded');
      const inUrl = door.method === 'GET' ? (typeof wild === 'string' ? wild : form) : '';
      const search = [inUrl, query]
        .filter(Boolean)
        .join('&')
        .replaceAll(/[^\x21-\x7e]/g, '')
        .slice(0, 6000);
      return {
        method,
        path: search === '' ? door.path : `${door.path}${door.path.includes('?') ? '&' : '?'}${search}`,
        headers: {
          'x-forwarded-for': ip,
          ...(withBody && contentType !== '' ? { 'content-type': contentType } : {}),
          ...(authorization === undefined ? {} : { authorization }),
          ...(hasHeaders === 0 ? headers : {}),
        },
        ...(withBody ? { body } : {}),
      };
    });
}

/** Fills in the `PLACE-…` of a request, whose values may be new for every request. */
export function filledIn(
  request: Request & { path: string },
  places: Record<string, string>,
): Request & { path: string } {
  const fill = (text: string): string => text.replaceAll(/PLACE-([a-z]+)/g, (all, name: string) => places[name] ?? all);
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).map(([name, value]) => [name, fill(String(value))]),
  );
  const { body } = request;
  return {
    ...request,
    path: fill(request.path),
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? fill(body) : body }),
  };
}

/** Percent-encodes anything, lone surrogates included, as UTF-8 would have it if it could. */
function encode(text: string): string {
  return Array.from(text, (char) => {
    if (/^[A-Za-z0-9_.~-]$/.test(char)) return char;
    const point = char.codePointAt(0) ?? 0;
    const isLoneSurrogate = point >= 0xd800 && point <= 0xdfff;
    const bytes = isLoneSurrogate ? [0xed, 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f)] : Buffer.from(char);
    return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  }).join('');
}
