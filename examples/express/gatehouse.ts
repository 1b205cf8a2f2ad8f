/**
 * Gatehouse for Express. Copy this file and ../node/gatehouse.ts.
 *
 *     const auth = gatehouse({ issuer: 'https://auth.example.com', resource: 'https://api.example.com/v1' });
 *     app.use(auth.middleware);
 *     app.get('/v1/notes', auth.requireScopes('read'), (request, response) => response.json(request.auth));
 */
import type { Request, RequestHandler } from 'express';
import { createGatehouse, dropIdentityHeaders, type Options, type Principal } from '../node/gatehouse.ts';

declare global {
  namespace Express {
    interface Request {
      /** Who sent it; set by requireScopes. */
      auth?: Principal;
    }
  }
}

export function gatehouse(options: Options): {
  /** Mount it first, at the root: it publishes the metadata and keeps X-Auth-* headers of callers out. */
  middleware: RequestHandler;
  /** Lets a request pass whose credential has all of these scopes; with none, any valid credential. */
  requireScopes: (...scopes: string[]) => RequestHandler;
} {
  const { metadata, metadataPaths, check } = createGatehouse(options);
  return {
    middleware(request, response, next) {
      dropIdentityHeaders(request);
      if (request.method !== 'GET' || !metadataPaths.includes(request.path)) return next();
      response.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=3600' }).json(metadata);
    },
    requireScopes:
      (...scopes) =>
      async (request: Request, response, next) => {
        const outcome = await check({ request, target: request.originalUrl, address: request.ip }, scopes);
        response.set(outcome.headers);
        if (outcome.kind === 'refused') {
          response.status(outcome.status).set('Cache-Control', 'no-store').send(outcome.body);
          return;
        }
        request.auth = outcome.principal;
        next();
      },
  };
}
