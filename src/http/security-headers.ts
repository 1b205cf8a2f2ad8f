import type { Context, Middleware } from 'koa';

/** For JSON and everything else that is not a page: nothing may be loaded, framed or guessed. */
const API_CSP = "default-src 'none'; frame-ancestors 'none'";

/**
 * A page loads our own style sheet and images and nothing else. `formTargets` are where its forms may lead: Chromium applies
 * form-action to the redirects that follow, so the client's redirect URI must be among them.
 * `script-src` is there for the engine, which adds the hash of its one auto-submit script when it finds the directive.
 */
export function pagePolicy(formTargets: readonly string[] = []): string {
  return [
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    "script-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    `form-action 'self'${formTargets.map((target) => ` ${target}`).join('')}`,
  ].join('; ');
}

/** What a redirect URI is called in a form-action directive: its origin, or its scheme when it has none. */
export function formTarget(redirectUri: string): string {
  const url = URL.parse(redirectUri);
  if (!url) return "'none'";
  // A source list knows no IPv6 address (CSP3 2.3.1), so for [::1] only the scheme can be said.
  return url.origin === 'null' || url.hostname.startsWith('[') ? url.protocol : url.origin;
}

export function securityHeaders({ https }: { https: boolean }): Middleware {
  const headers: readonly (readonly [string, string])[] = [
    ['Content-Security-Policy', API_CSP],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ...(https ? [['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'] as const] : []),
  ];
  return (ctx, next) => {
    // Koa's own `set` costs three times as much, and these are set for every request.
    for (const [name, value] of headers) ctx.res.setHeader(name, value);
    return next();
  };
}

export function sendPage(ctx: Context, html: string, formTargets: readonly string[] = []): void {
  ctx.type = 'html';
  ctx.set('Content-Security-Policy', pagePolicy(formTargets));
  ctx.set('Cache-Control', 'no-store');
  ctx.body = html;
}
