/** A small API behind Gatehouse: `ISSUER=… RESOURCE=… PORT=8080 node server.ts` */
import Koa, { type Middleware } from 'koa';
import type { Options } from '../node/gatehouse.ts';
import { gatehouse } from './gatehouse.ts';

const {
  ISSUER = 'http://localhost:3000',
  RESOURCE = 'http://localhost:8080/v1',
  MODE = 'auto',
  CLIENT_ID = '',
  CLIENT_SECRET = '',
  PORT = '8080',
} = process.env;

const auth = gatehouse({
  issuer: ISSUER,
  resource: RESOURCE,
  mode: MODE as Options['mode'],
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  scopes: ['read', 'write'],
});
const notes: { by: string; text: string }[] = [];

/** Stands in for the router of your choice. */
const on =
  (method: string, path: string, ...steps: Middleware[]): Middleware =>
  (ctx, next) => {
    if (ctx.method !== method || ctx.path !== path) return next();
    const run = (index: number): Promise<void> => Promise.resolve(steps[index]?.(ctx, () => run(index + 1)));
    return run(0);
  };

const app = new Koa();
app.use(auth.middleware);
app.use(
  on('GET', '/health', (ctx) => {
    ctx.body = { ok: true };
  }),
);
// Any valid credential. The names show what reaches a handler.
app.use(
  on('GET', '/v1/whoami', auth.requireScopes(), (ctx) => {
    ctx.body = { auth: ctx.state.auth, headers: Object.keys(ctx.headers) };
  }),
);
app.use(
  on('GET', '/v1/notes', auth.requireScopes('read'), (ctx) => {
    ctx.body = { notes };
  }),
);
app.use(
  on('POST', '/v1/notes', auth.requireScopes('write'), async (ctx) => {
    let body = '';
    for await (const chunk of ctx.req.setEncoding('utf8')) {
      body += chunk;
      if (body.length > 100_000) ctx.throw(413);
    }
    notes.push({ by: ctx.state.auth.subject, text: String(JSON.parse(body).text) });
    ctx.status = 201;
    ctx.body = notes.at(-1);
  }),
);
app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
