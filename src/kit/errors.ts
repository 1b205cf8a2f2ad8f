import { ERROR_CODES, type ErrorCode, type ErrorCodeName } from './error-codes.ts';

export interface ErrorFacts {
  /** Each wrong member of the request and what is wrong with it. */
  fields?: readonly { field: string; problem: string }[];
  /** The scope that is missing. */
  scope?: string;
  /** What kind of credential was refused. */
  credential?: 'api_key' | 'token';
  /** The third-party provider it is about. */
  provider?: string;
}

/**
 * A failure that ends a request. `public` is safe to show to the caller; `internal` and `cause` go to the log only.
 */
export class AppError extends Error {
  override name = 'AppError';
  readonly code: ErrorCodeName;
  readonly public: string;
  readonly internal: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Extra response headers, for instance WWW-Authenticate or Allow. */
  readonly headers: Readonly<Record<string, string>>;
  /** Facts a machine can act on, safe to show: the fields that are wrong, the scope that is missing. */
  readonly facts: ErrorFacts;

  constructor(
    code: ErrorCodeName,
    details: {
      public?: string;
      internal?: string;
      retryAfterSeconds?: number;
      headers?: Record<string, string>;
      facts?: ErrorFacts;
      cause?: unknown;
    } = {},
  ) {
    const { title, status } = ERROR_CODES[code];
    const message = details.public ?? title;
    // Where a refusal was thrown is of no interest, and finding out would be most of what refusing a made-up credential costs.
    const { stackTraceLimit } = Error;
    if (status < 500) Error.stackTraceLimit = 0;
    super(details.internal ?? message, details.cause === undefined ? undefined : { cause: details.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.public = message;
    this.internal = details.internal;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers ?? {};
    this.facts = details.facts ?? {};
  }

  get entry(): ErrorCode {
    return ERROR_CODES[this.code];
  }
}

/** Why a store, or the way to it, says no, in words for the operator. Holds no value and no password. */
export class StoreRefusal extends Error {
  override name = 'StoreRefusal';
}

/** A store that cannot be reached or does not answer in time. The storage layer throws it; nothing was changed. */
export class StoreUnavailableError extends AppError {
  override name = 'StoreUnavailableError';
  readonly store: string;
  /** Why, in words for the operator; never for a caller. */
  readonly reason: string | undefined;

  constructor(store: string, cause: unknown, reason?: string) {
    super('temporarily_unavailable', {
      public: 'The server cannot reach its storage just now.',
      internal: cause instanceof StoreRefusal ? `${store}: ${cause.message}` : `${store} is not available`,
      retryAfterSeconds: 2,
      cause,
    });
    this.store = store;
    this.reason = reason;
  }
}
