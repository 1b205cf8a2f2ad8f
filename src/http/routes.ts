import type { Context } from 'koa';
import { AppError } from '../kit/errors.ts';

/** Writes one AppError as a response; each door has its own shape. */
export type ErrorWriter = (ctx: Context, error: AppError) => void;

export type Handler = (ctx: Context) => Promise<void> | void;

/** One path: its name for logs and metrics, who answers which method, and the shape of its errors. */
export interface Route {
  name: string;
  methods: Readonly<Record<string, Handler>>;
  /** Answers every other method, for a route that judges requests of any. */
  anyMethod?: Handler;
  writeError: ErrorWriter;
}

/** Runs the handler of the method, or says which methods there are. */
export function dispatch(ctx: Context, route: Route): Promise<void> | void {
  const handler = Object.hasOwn(route.methods, ctx.method) ? route.methods[ctx.method] : route.anyMethod;
  if (!handler) {
    const allowed = Object.keys(route.methods).join(', ');
    throw new AppError('method_not_allowed', { public: `use ${allowed}`, headers: { Allow: allowed } });
  }
  return handler(ctx);
}
