import type { Context } from 'koa';
import type { Renderer } from '../../http/render.ts';
import type { ErrorWriter, Route } from '../../http/routes.ts';
import { sendPage } from '../../http/security-headers.ts';
import { sha256 } from '../../kit/digest.ts';
import type { Dialect } from './dialect.ts';
import { docsPage } from './docs-page.ts';
import { createOpenApiDocument } from './openapi.ts';

export const OPENAPI_PATH = '/v1/openapi.json';
export const DOCS_PATH = '/v1/docs';

/** The OpenAPI document and the page made from it. Both are the same for everybody until the server is started anew. */
export function createOpenApiRoutes({
  dialects,
  renderer,
  issuer,
  version,
  basePath,
  writeError,
}: {
  /** The product's own first, the canonical one last. */
  dialects: readonly [Dialect, ...Dialect[]];
  renderer: Renderer;
  issuer: string;
  version: string;
  /** The prefix of every link. */
  basePath: string;
  writeError: ErrorWriter;
}): (path: string) => Route | null {
  // Made when first asked for: most processes never are.
  const document = once(() => createOpenApiDocument({ dialects, issuer, version }));
  const json = once(() => withEtag(JSON.stringify(document())));
  const page = once(() =>
    withEtag(
      renderer.render('api/docs', {
        ...docsPage(document()),
        openApiUrl: basePath + OPENAPI_PATH,
        homeUrl: `${basePath}/`,
      }),
    ),
  );

  const routes = new Map([
    [
      OPENAPI_PATH,
      route('openapi', (ctx) => {
        const { body, etag } = json();
        ctx.type = 'json';
        // It is public and holds nothing about who asks: editors and generators in a browser may read it.
        ctx.set('Access-Control-Allow-Origin', '*');
        sendCached(ctx, body, etag);
      }),
    ],
    [
      DOCS_PATH,
      route('docs', (ctx) => {
        const { body, etag } = page();
        sendPage(ctx, body);
        sendCached(ctx, body, etag);
      }),
    ],
  ]);

  function route(name: string, handler: (ctx: Context) => void): Route {
    return { name, methods: { GET: handler, HEAD: handler }, writeError };
  }

  return (path) => routes.get(path) ?? null;
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const withEtag = (body: string): { body: string; etag: string } => ({ body, etag: `"${sha256(body).slice(0, 22)}"` });

/** For five minutes, and after that only if it changed. */
function sendCached(ctx: Context, body: string, etag: string): void {
  ctx.set('Cache-Control', 'public, max-age=300');
  ctx.set('ETag', etag);
  ctx.body = body;
  ctx.status = 200;
  if (ctx.fresh) ctx.status = 304;
}
