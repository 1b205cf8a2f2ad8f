import type { Context } from 'koa';
import type { Principal } from '../../domain/credentials/principal.ts';
import type { RequestFacts } from '../../http/request-context.ts';
import type { AppError } from '../../kit/errors.ts';
import type { Input, OperationName, Output } from './operations.ts';
import type { Presented } from './presented.ts';

/** One request to the JSON API, past every check that is the same for all. */
export interface Call {
  ctx: Context;
  facts: RequestFacts;
  /** Null where anyone may call, and for resource servers. */
  principal: Principal | null;
  /** Why the credential that came along counts for nobody, where it need not. */
  refusal: AppError | null;
  presented: Presented;
  /** Set for operations that may be repeated safely, when the caller asked for it. */
  repeatable: { idempotencyKey: string; content: string } | undefined;
}

export type Run<Name extends OperationName> = (input: Input<Name>, call: Call) => Promise<Output<Name>>;

/** What each operation does. */
export type Handlers = { readonly [Name in OperationName]: Run<Name> };

/** The caller of an operation that needs one; the API has let it in. */
export function who({ principal }: Call): Principal {
  if (!principal) throw new Error('the operation has no access rule');
  return principal;
}
