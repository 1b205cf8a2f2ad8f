import type { Dialect, DialectRoute } from './dialect.ts';
import { OPERATIONS, type OperationName } from './operations.ts';

const ROUTE = /^(GET|POST|PUT|PATCH|DELETE) (\/.*)$/;
const SEGMENT = /^(?:[A-Za-z0-9._~-]+|\{[a-z_]+\})$/;
/** Paths that are answered before any dialect is asked. */
const RESERVED =
  /^\/(?:$|(?:health|ready|v1\/docs|v1\/openapi\.json)$|forward-auth(?:\/|$)|(?:assets|\.well-known)(?:\/|$))/;

/** What is wrong with the routes of a dialect. */
export function routeProblems(routes: Dialect['routes']): string[] {
  const keys = Object.keys(routes);
  const clashes = keys.flatMap((one, index) =>
    keys
      .slice(index + 1)
      .filter((other) => matchTheSame(one, other))
      .map((other) => `routes: ${one} and ${other} match the same requests`),
  );
  return [
    ...Object.entries(routes).flatMap(([key, route]) =>
      problemsOf(key, route).map((problem) => `routes: ${key}: ${problem}`),
    ),
    ...clashes,
  ];
}

function problemsOf(key: string, { operation, names = {}, defaults = {}, fixed = {} }: DialectRoute): string[] {
  const [, method, path] = ROUTE.exec(key) ?? [];
  if (method === undefined || path === undefined) return ['write it as METHOD /path: POST /v1/login'];
  const segments = path.split('/').slice(1);
  const odd = segments.filter((segment) => !SEGMENT.test(segment));
  if (odd.length > 0) return [`${odd.map((segment) => `"${segment}"`).join(', ')} is not part of a path`];
  if (RESERVED.test(path)) return ['this path is taken by the server itself'];
  if (!Object.hasOwn(OPERATIONS, operation)) {
    return [`there is no operation ${operation}; there are ${Object.keys(OPERATIONS).join(', ')}`];
  }

  const { input } = OPERATIONS[operation as OperationName];
  const inputs = Object.keys(input.shape);
  const parameters = segments.filter((segment) => segment.startsWith('{')).map((segment) => segment.slice(1, -1));
  const notInputs = (given: readonly string[], where: string): string[] =>
    given.filter((name) => !inputs.includes(name)).map((name) => `${where}: ${operation} takes no ${name}`);
  const targets = Object.values(names);
  return [
    ...notInputs(parameters, 'path'),
    ...notInputs(targets, 'names'),
    ...notInputs(Object.keys(defaults), 'defaults'),
    ...notInputs(Object.keys(fixed), 'fixed'),
    ...targets.filter((name, index) => targets.indexOf(name) !== index).map((name) => `names: two names for ${name}`),
  ];
}

/** Whether there is a request that both match. */
function matchTheSame(one: string, other: string): boolean {
  const [a, b] = [one.split(/[ /]/), other.split(/[ /]/)];
  return (
    a.length === b.length &&
    a.every((part, index) => part === b[index] || part.startsWith('{') || (b[index] ?? '').startsWith('{'))
  );
}
