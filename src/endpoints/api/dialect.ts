import type { KeyEnvironments } from '../../domain/api-keys/key-format.ts';
import type { LimitRule } from '../../domain/limits/limit-rule.ts';
import type { ScopeDefinition } from '../../domain/scopes/scope.ts';
import type { FormBodies } from '../../http/json-body.ts';
import type { AppError } from '../../kit/errors.ts';
import type { Input, OperationName, Output } from './operations.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * A published API: where its routes are, what its keys, requests, answers and errors look like. It maps, it never decides;
 * rules are in `domain/`. Whatever it does not name is answered as the canonical API does.
 */
export interface Dialect {
  /** The name of its file. */
  name: string;
  /** The product's name, shown to people. */
  title: string;
  /** Defaults of settings that its page promises, by their names in the environment, which still has the last word. */
  settings?: Readonly<Record<string, string>>;
  keys: {
    environments: KeyEnvironments;
    /** For a key that is asked for without scopes. */
    defaultScopes: readonly string[];
    /** A key that is made at sign-up and shown in the answer; without it none is made. */
    atSignUp?: { name: string; scopes: readonly string[] };
  };
  /** `provider-keys:use`, for resource servers, comes with every dialect. */
  scopes: readonly ScopeDefinition[];
  /** The scope that lets a key or token manage its owner's account. A sign-in by the user always may. */
  manageScope: string;
  credentials: CredentialPlaces;
  limits: readonly LimitRule[];
  /** Send X-RateLimit-* too. */
  legacyRateLimitHeaders?: boolean;
  /** For its own routes; the canonical ones take JSON only. */
  forms?: FormBodies;
  /** By `METHOD /path/{parameter}`. */
  routes: Readonly<Record<string, DialectRoute>>;
  /** The media type of its errors; application/json unless given. */
  errorType?: string;
  /** The body of an error, for its routes and for forward-auth; its `status` is the error's own unless given. */
  error: (error: AppError, details: { requestId: string; at: Date }) => { body: object; status?: number };
}

/** The headers in which its requests may carry credentials; `authorization` means the Bearer (or DPoP) scheme. */
export interface CredentialPlaces {
  headers: readonly string[];
  /** Provider keys that come with a request: the headers, and the one whose presence makes `authorization` one of them. */
  providerKey?: { headers: readonly string[]; authorizationWith: string };
}

export interface DialectRoute {
  operation: OperationName;
  /** Its names of our input members. */
  names?: Readonly<Record<string, string>>;
  /** Members that may be left out here. */
  defaults?: Readonly<Record<string, unknown>>;
  /** Members with a fixed value, which cannot be sent. */
  fixed?: Readonly<Record<string, unknown>>;
  /** Its answer, made from ours. */
  answer?: (output: never) => unknown;
  status?: number;
}

/** A route with its types: `names` are checked against the operation's input, `answer` gets its output. */
export function route<Name extends OperationName>(
  operation: Name,
  shape: {
    names?: Readonly<Record<string, keyof Input<Name> & string>>;
    defaults?: Partial<Input<Name>>;
    fixed?: Partial<Input<Name>>;
    answer?: (output: Output<Name>) => unknown;
    status?: number;
  } = {},
): DialectRoute {
  return { operation, ...shape } as DialectRoute;
}
