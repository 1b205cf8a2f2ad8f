import { type Mutant, noticedBy } from '../mutant.ts';

const again = noticedBy('api/answer-again.test.ts');
const host = noticedBy('http/host.test.ts');
const proxies = noticedBy('http/proxies.test.ts');
const endpoint = noticedBy('oauth/token-endpoint.test.ts');
const answerAgain = noticedBy('http/answer-again.test.ts');
const unreadableRequests = noticedBy('http/unreadable-requests.test.ts');
const addresses = noticedBy('kit/addresses.test.ts');

/** What every request passes, and answers that are given from memory. */
export const HTTP: readonly Mutant[] = [
  answerAgain(
    'an answer that was read before a change is kept',
    'if (asked && asked.drops === drops) save(ctx, asked);',
    'if (asked) save(ctx, asked);',
  ),
  again('an answer from memory outlives its time', 'if (leftMs <= 0) return false;', ''),
  answerAgain(
    'answers from memory are the same for every caller address',
    'let text = `${method} ${url}\\n${req.socket.remoteAddress}\\n`;',
    'let text = `${method} ${url}\\n`;',
  ),
  answerAgain('a request with a cookie is answered from memory', 'if (NEVER.has(name)) return null;', ''),
  host('the server answers for every host', 'if (byName && !accepted.has(asked)) {', 'if (byName && asked === "") {'),
  host(
    'a target for another host is answered',
    "if (!url || !accepted.has(url.host)) throw new AppError('misdirected_host');",
    "if (!url) throw new AppError('misdirected_host');",
  ),
  proxies(
    'plain HTTP is answered where the issuer is https',
    "if (enforceHttps && !factsOf(ctx).encrypted) throw new AppError('https_required');",
    '',
  ),
  proxies(
    'a stranger says that its connection is encrypted',
    "(byProxy && lastOf(asText(headers['x-forwarded-proto'])) === 'https'),",
    "lastOf(asText(headers['x-forwarded-proto'])) === 'https',",
  ),
  endpoint('credentials in the URL are accepted', "if (ctx.querystring !== '') {", "if (ctx.querystring === '?') {"),
  endpoint(
    'the last of several parameters of one name counts',
    '} else if (parameters.has(name)) {',
    "} else if (name === '') {",
  ),
  addresses(
    'one IPv6 caller has as many counters as addresses',
    "return `${wordsOf(address).slice(0, 4).join(':')}::/64`;",
    "return wordsOf(address).join(':');",
  ),
  unreadableRequests(
    'two Host lines are answered',
    "if (headerValues(ctx.req, 'host').length > 1) {",
    "if (headerValues(ctx.req, 'host').length > 9) {",
  ),
  addresses('a prefix longer than the address is read', 'if (prefix > widest) return null;', ''),
  addresses(
    'an address with a zone is read',
    "if (version === 0 || text.includes('%')) return null;",
    'if (version === 0) return null;',
  ),
  addresses('IPv4 in IPv6 is another address', 'return mappedIpv4(canonical) ?? canonical;', 'return canonical;'),
  answerAgain(
    'an answer from memory does not know what a proxy said of the connection',
    "...['x-original-method', 'x-forwarded-method', 'traceparent', 'tracestate'],",
    "...['x-original-method', 'x-forwarded-method', 'x-forwarded-proto', 'traceparent'],",
  ),
];
