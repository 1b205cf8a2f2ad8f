import type { Context } from 'koa';
import type { PresentedCredential } from '../../domain/credentials/presented.ts';
import { headerValues } from '../../http/header-values.ts';
import { AppError } from '../../kit/errors.ts';
import type { CredentialPlaces } from './dialect.ts';

/** What a request carries: at most one credential of ours, and at most one key for a third-party provider. */
export interface Presented {
  credential: PresentedCredential | null;
  providerKey: string | null;
  /** A cookie of ours came along and does not count, because the request did not come from a page of ours. */
  withheldCookie: boolean;
}

const SCHEME = /^(bearer|dpop) +([^\s,]+)$/i;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Reads the places a dialect names. Two different credentials at once are refused: which one counts must never be a guess.
 * A cookie counts only where no header holds a credential and, for requests that change something, when our own pages sent it.
 */
export function createReadPresented({
  places,
  cookies,
  origin,
  isOurs,
}: {
  places: CredentialPlaces;
  /** Whether a text can only be a credential of ours, so that it is never taken for a provider's key. */
  isOurs: (text: string) => boolean;
  cookies: { login: string; session: string };
  /** Of our own pages. */
  origin: string;
}): (ctx: Context, method?: string) => Presented {
  const headers = places.headers.filter((name) => name !== 'authorization');

  function inHeaders(ctx: Context): Presented {
    const provider = places.providerKey;
    const authorization = readAuthorization(ctx);
    const authorizationIsProviders =
      provider !== undefined && ctx.get(provider.authorizationWith) !== '' && !isOurs(authorization?.text ?? '');
    const found: PresentedCredential[] = [];
    for (const name of headers) {
      // Node joins several of one name with commas, which would make of two credentials one that is none.
      for (const text of headerValues(ctx.req, name)) if (text !== '') found.push({ text, from: 'header' });
    }
    if (authorization && !authorizationIsProviders && places.headers.includes('authorization'))
      found.push(authorization);
    const [credential = null] = found;
    if (found.some(({ text }) => text !== credential?.text)) {
      throw new AppError('invalid_request', { public: 'the request carries two different credentials; send one' });
    }
    const providerKey = provider ? readProviderKey(ctx, provider, authorizationIsProviders) : null;
    return { credential, providerKey, withheldCookie: false };
  }

  function readProviderKey(
    ctx: Context,
    { headers: names }: NonNullable<CredentialPlaces['providerKey']>,
    authorizationIsProviders: boolean,
  ): string | null {
    const keys = names.map((name) => {
      if (name !== 'authorization') return ctx.get(name);
      return authorizationIsProviders ? (readAuthorization(ctx)?.text ?? '') : '';
    });
    const [key = null, ...others] = [...new Set(keys.filter((text) => text !== '' && !isOurs(text)))];
    if (others.length > 0) {
      throw new AppError('invalid_request', { public: 'the request carries two different provider keys; send one' });
    }
    return key;
  }

  return (ctx, method = ctx.method) => {
    const presented = inHeaders(ctx);
    if (presented.credential) return presented;
    if (ctx.get('cookie') === '') return presented;
    const login = ctx.cookies.get(cookies.login);
    if (!SAFE_METHODS.has(method) && !isFromOurPages(ctx, origin))
      return { ...presented, withheldCookie: Boolean(login) };
    if (login) return { ...presented, credential: { text: login, from: 'login-cookie' } };
    const session = ctx.cookies.get(cookies.session, { signed: true });
    return session ? { ...presented, credential: { text: session, from: 'session-cookie' } } : presented;
  };
}

function readAuthorization(ctx: Context): PresentedCredential | null {
  // Node keeps the first of several and says nothing.
  const values = headerValues(ctx.req, 'authorization');
  if (values.length > 1) {
    throw new AppError('invalid_request', { public: 'the Authorization header is repeated' });
  }
  const [header = ''] = values;
  if (header === '') return null;
  const [, scheme, text] = SCHEME.exec(header) ?? [];
  if (scheme === undefined || text === undefined) return { text: '', from: 'bearer' };
  return { text, from: scheme.toLowerCase() as 'bearer' | 'dpop' };
}

/** Cookies are SameSite, and this is the second lock: a browser says where a request comes from. */
export function isFromOurPages(ctx: Context, origin: string): boolean {
  const site = ctx.get('sec-fetch-site');
  if (site !== '') return site === 'same-origin' || site === 'none';
  return ctx.get('origin') === origin;
}
