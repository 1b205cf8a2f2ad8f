import { z } from 'zod';
import { SETTINGS } from '../../config/config.ts';
import { prefixProblem } from '../../domain/api-keys/key-format.ts';
import type { LimitRule } from '../../domain/limits/limit-rule.ts';
import type { Provider } from '../../domain/provider-keys/vault.ts';
import type { Dialect } from './dialect.ts';
import { routeProblems } from './route-problems.ts';

/**
 * What is wrong with a dialect, in words for whoever wrote it. Types are not checked when a configuration file is read, so its
 * shape is checked too.
 */
const text = z.string().min(1).max(200);
const header = z.string().regex(/^[a-z0-9-]{1,64}$/, 'write a header in small letters: x-api-key');
const callable = z.custom((value) => typeof value === 'function', 'must be a function');
/** RFC 6749 3.3. */
const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'is not a scope of OAuth (RFC 6749 3.3)');

const Limits = z.array(
  z.strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,64}$/, 'a-z, 0-9 and - only'),
    per: z.enum(['key', 'subject', 'client', 'address']),
    method: z.enum(['api_key', 'access_token', 'login', 'session']).optional(),
    environment: text.optional(),
    clientId: text.optional(),
    quota: z.int().min(1),
    windowSeconds: z.int().min(1).max(86_400),
  } satisfies Record<keyof LimitRule, z.ZodType>),
);
const Settings = z.record(z.string(), z.string());
const Providers = z.array(
  z.strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,32}$/, 'a-z, 0-9 and - only'),
    title: text,
    header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'is not the name of a header'),
    scheme: z.string().max(32),
    checkUrl: z.url({ protocol: /^https$/ }).optional(),
    checkHeaders: z.record(z.string(), z.string()).optional(),
  } satisfies Record<keyof Provider, z.ZodType>),
);
const Shape = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,64}$/, 'a-z, 0-9 and - only'),
  title: text,
  settings: Settings.optional(),
  keys: z.strictObject({
    environments: z
      .record(
        z.string().regex(/^[a-z0-9-]{1,32}$/, 'a-z, 0-9 and - only'),
        z.strictObject({ prefix: text, billable: z.boolean() }),
      )
      .refine((environments) => Object.keys(environments).length > 0, 'name at least one'),
    defaultScopes: z.array(scopeName),
    atSignUp: z.strictObject({ name: text, scopes: z.array(scopeName) }).optional(),
  }),
  scopes: z.array(
    z.strictObject({
      name: scopeName,
      description: text,
      includes: z.array(scopeName).optional(),
      clientsOnly: z.boolean().optional(),
    }),
  ),
  manageScope: scopeName,
  credentials: z.strictObject({
    headers: z.array(header).min(1),
    providerKey: z.strictObject({ headers: z.array(header).min(1), authorizationWith: header }).optional(),
  }),
  limits: Limits,
  legacyRateLimitHeaders: z.boolean().optional(),
  forms: z.enum(['refused', 'fields', 'json']).optional(),
  routes: z.record(
    z.string(),
    z.strictObject({
      operation: text,
      names: z.record(z.string(), z.string()).optional(),
      defaults: z.record(z.string(), z.unknown()).optional(),
      fixed: z.record(z.string(), z.unknown()).optional(),
      answer: callable.optional(),
      status: z.int().min(200).max(299).optional(),
    }),
  ),
  error: callable,
  errorType: text.optional(),
} satisfies Record<keyof Dialect, z.ZodType>);

/** How our own tokens begin, and the scopes that mean something of their own. */
const TOKEN_PREFIXES = ['gat_', 'grt_', 'gac_'];
const RESERVED_SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access', 'provider-keys:use'];

export function dialectProblems(dialect: Dialect): string[] {
  const wrong = shapeProblems(Shape, dialect);
  if (wrong.length > 0) return wrong;
  return [
    ...settingProblems(dialect.settings ?? {}),
    ...keyProblems(dialect),
    ...scopeProblems(dialect),
    ...placeProblems(dialect),
    ...limitProblems(dialect.limits, dialect),
    ...routeProblems(dialect.routes),
  ];
}

export function settingProblems(settings: Readonly<Record<string, string>>): string[] {
  return [
    ...shapeProblems(Settings, settings, 'settings'),
    ...Object.keys(settings)
      .filter((name) => !Object.hasOwn(SETTINGS, name))
      .map((name) => `settings: there is no setting ${name}`),
  ];
}

export function providerProblems(providers: readonly Provider[]): string[] {
  const wrong = shapeProblems(Providers, providers, 'providers');
  return wrong.length > 0
    ? wrong
    : repeated(providers.map(({ name }) => name)).map((name) => `providers: ${name} is there twice`);
}

export function limitProblems(limits: readonly LimitRule[], { keys }: Pick<Dialect, 'keys'>): string[] {
  const wrong = shapeProblems(Limits, limits, 'limits');
  if (wrong.length > 0) return wrong;
  return [
    ...repeated(limits.map(({ name }) => name)).map((name) => `limits: ${name} is there twice`),
    ...limits
      .filter(({ environment }) => environment !== undefined && !Object.hasOwn(keys.environments, environment))
      .map(({ name, environment }) => `limits: ${name}: there is no environment ${environment}`),
  ];
}

/** A key must be of one environment, and never look like a token, before anything is looked up. */
function keyProblems({ keys }: Dialect): string[] {
  const prefixes = Object.values(keys.environments).map(({ prefix }) => prefix);
  const problem = prefixProblem(prefixes);
  const tokens = prefixes.flatMap((prefix) => TOKEN_PREFIXES.filter((token) => prefix.startsWith(token)));
  return [
    ...(problem === null ? [] : [problem]),
    ...tokens.map((token) => `${token} begins tokens of the server itself`),
  ].map((text) => `keys.environments: ${text}`);
}

function scopeProblems({ scopes, keys, manageScope }: Dialect): string[] {
  const known = scopes.map(({ name }) => name);
  const forUsers = scopes.filter(({ clientsOnly }) => !clientsOnly).map(({ name }) => name);
  const among = (names: readonly string[], list: readonly string[], where: string, what: string): string[] =>
    names.filter((name) => !list.includes(name)).map((name) => `${where}: ${name} is not ${what}`);
  const ofUsers = 'a scope that users hold';
  return [
    ...repeated(known).map((name) => `scopes: ${name} is there twice`),
    ...known.filter((name) => RESERVED_SCOPES.includes(name)).map((name) => `scopes: ${name} has a meaning of its own`),
    ...scopes.flatMap(({ name, includes = [] }) =>
      among(includes, known, `scopes: ${name} includes`, 'one of its scopes'),
    ),
    ...among(keys.defaultScopes, forUsers, 'keys.defaultScopes', ofUsers),
    ...among(keys.atSignUp?.scopes ?? [], forUsers, 'keys.atSignUp', ofUsers),
    ...among([manageScope], forUsers, 'manageScope', ofUsers),
  ];
}

function placeProblems({ credentials: { headers, providerKey } }: Dialect): string[] {
  const problems = repeated(headers).map((name) => `credentials.headers: ${name} is there twice`);
  if (headers.includes('cookie')) problems.push('credentials.headers: cookies are read anyway');
  if (!providerKey) return problems;
  if (!headers.includes(providerKey.authorizationWith) || providerKey.authorizationWith === 'authorization') {
    problems.push(
      'credentials.providerKey.authorizationWith: must be another of credentials.headers than authorization',
    );
  }
  const both = providerKey.headers.filter((name) => name !== 'authorization' && headers.includes(name));
  return [...problems, ...both.map((name) => `credentials.providerKey.headers: ${name} holds our own credential`)];
}

function shapeProblems(schema: z.ZodType, value: unknown, where = ''): string[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map(({ path, message }) =>
    [[where, ...path].filter((part) => part !== '').join('.'), message].filter(Boolean).join(': '),
  );
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
