import type { Context } from 'koa';
import { z } from 'zod';
import { inWords } from '../../config/wording.ts';
import { type Members, readMembers } from '../../http/json-body.ts';
import { printable } from '../../http/parameters.ts';
import { AppError } from '../../kit/errors.ts';
import { OPERATIONS } from './operations.ts';
import type { TableRoute } from './route-table.ts';

const WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The members of a request under our names: path parameters, then the body, or the query of a request that has none. A path
 * parameter cannot be overruled.
 */
export async function readRequest(
  ctx: Context,
  { route, dialect }: TableRoute,
  parameters: Readonly<Record<string, string>>,
): Promise<Members> {
  const hasBody = WITH_BODY.has(ctx.method);
  if (hasBody && ctx.querystring !== '') {
    throw new AppError('invalid_request', { public: 'send everything in the request body, nothing in the URL' });
  }
  const sent = hasBody ? await readMembers(ctx, { forms: dialect.forms ?? 'refused' }) : readQuery(ctx, route);
  const members: Members = { ...route.defaults };
  const { names = {}, fixed = {} } = route;
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(sent)) {
    // Our name for a member that has another name here is not a name here.
    const ours = Object.hasOwn(names, name)
      ? (names[name] as string)
      : Object.values(names).includes(name)
        ? null
        : name;
    if (ours === null || ours === '__proto__' || ours in fixed || ours in parameters) unknown.push(name);
    else members[ours] = value;
  }
  if (unknown.length > 0) throw invalid(unknown.map((name) => ({ field: printable(name), problem: 'is not known' })));
  return { ...members, ...parameters, ...fixed };
}

/** A list has its items apart by spaces, or its parameter repeated. */
function readQuery(ctx: Context, { operation, names = {} }: TableRoute['route']): Members {
  const shape: Record<string, z.ZodType> = OPERATIONS[operation].input.shape;
  // Without a prototype, so that `__proto__` is a name like any other.
  const members = Object.create(null) as Members;
  for (const [name, value] of new URLSearchParams(ctx.querystring)) {
    const before = members[name];
    const ours = Object.hasOwn(names, name) ? (names[name] as string) : name;
    if (isList(shape[ours])) members[name] = [...((before as string[] | undefined) ?? []), ...value.split(' ')];
    else if (before !== undefined) throw invalid([{ field: printable(name), problem: 'must not be repeated' }]);
    else members[name] = value;
  }
  return members;
}

const isList = (schema: z.ZodType | undefined): boolean =>
  schema instanceof z.ZodArray || (schema instanceof z.ZodOptional && isList(schema.unwrap() as z.ZodType));

/** Checks against the schema; what is wrong is named as the caller named it. */
export function parseInput(schema: z.ZodType, members: Members, { route }: TableRoute): unknown {
  const result = schema.safeParse(members, { error: inWords });
  if (result.success) return result.data;
  const fields = result.error.issues.flatMap((issue) => {
    const [first = '', ...rest] = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: printable([first, ...rest, key].filter(Boolean).join('.')),
        problem: 'is not known',
      }));
    }
    const field = printable([theirName(first, route), ...rest].join('.'));
    const missing = issue.code === 'invalid_type' && issue.input === undefined && !(first in members);
    return [{ field, problem: missing ? 'is missing' : printable(issue.message, 200) }];
  });
  throw invalid(fields);
}

/** What the domain found wrong with members, which it calls by names of its own (`givenName`), as the caller named them. */
export function inTheirNames(error: unknown, { route }: TableRoute): unknown {
  if (!(error instanceof AppError) || error.code !== 'invalid_request' || !error.facts.fields) return error;
  const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return invalid(
    error.facts.fields.map(({ field, problem }) => ({ field: theirName(snakeCase(field), route), problem })),
  );
}

const theirName = (ours: string, { names = {} }: TableRoute['route']): string =>
  Object.entries(names).find(([, name]) => name === ours)?.[0] ?? ours;

export function invalid(fields: readonly { field: string; problem: string }[]): AppError {
  const shown = fields.slice(0, 20);
  return new AppError('invalid_request', {
    public: shown.map(({ field, problem }) => `${field}: ${problem}`).join('; '),
    facts: { fields: shown },
  });
}
