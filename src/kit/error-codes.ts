/**
 * Every failure a caller can see. `status` is the HTTP status, `title` the heading of an error page, `oauth` the value
 * of `error` at an OAuth door (RFC 6749 5.2 and friends), `next` what the person or client should do.
 * docs/errors.md is this table; a test keeps them equal.
 */
export interface ErrorCode {
  status: number;
  title: string;
  oauth: string;
  next: string;
}

export const ERROR_CODES = {
  invalid_request: {
    status: 400,
    title: 'The request is not valid',
    oauth: 'invalid_request',
    next: 'Correct what is named and send the request again.',
  },
  invalid_client: {
    status: 401,
    title: 'The client could not be authenticated',
    oauth: 'invalid_client',
    next: 'Check the client id, its secret or key, and that it uses its registered authentication method.',
  },
  invalid_grant: {
    status: 400,
    title: 'The grant is not valid',
    oauth: 'invalid_grant',
    next: 'Start the authorization again: the code or refresh token is unknown, expired, revoked, already used or belongs to another client.',
  },
  unauthorized_client: {
    status: 400,
    title: 'The client may not do this',
    oauth: 'unauthorized_client',
    next: 'Register the grant type for this client before using it.',
  },
  unsupported_grant_type: {
    status: 400,
    title: 'The grant type is not supported',
    oauth: 'unsupported_grant_type',
    next: 'Use a grant type listed in the server metadata.',
  },
  invalid_scope: {
    status: 400,
    title: 'The scope is not valid',
    oauth: 'invalid_scope',
    next: 'Ask only for scopes that the client was given.',
  },
  invalid_target: {
    status: 400,
    title: 'The resource is not valid',
    oauth: 'invalid_target',
    next: 'Name a resource server that the client was given, as an absolute URI without a fragment.',
  },
  invalid_dpop_proof: {
    status: 400,
    title: 'The DPoP proof is not valid',
    oauth: 'invalid_dpop_proof',
    next: 'Make a new proof for each request, of the method and URL of this endpoint, and check the clock.',
  },
  use_dpop_nonce: {
    status: 400,
    title: 'The DPoP proof needs a nonce',
    oauth: 'use_dpop_nonce',
    next: 'Make a new proof with the nonce of the DPoP-Nonce header and send the request again.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many attempts',
    oauth: 'slow_down',
    next: 'Wait for the time given in Retry-After and try again.',
  },
  unknown_application: {
    status: 400,
    title: 'This application is not known here',
    oauth: 'invalid_client',
    next: 'Go back to the application you came from. If it happens again, tell its makers: their client id is not registered.',
  },
  unregistered_redirect: {
    status: 400,
    title: 'The application gave an address that is not registered',
    oauth: 'invalid_request',
    next: 'Go back to the application you came from. If it happens again, tell its makers: the redirect URI must be registered, letter for letter.',
  },
  invalid_authorization: {
    status: 400,
    title: 'The application sent a request that is not valid',
    oauth: 'invalid_request',
    next: 'Go back to the application you came from and try again. If it happens again, tell its makers what is written above.',
  },
  csrf_failed: {
    status: 403,
    title: 'The form has expired',
    oauth: 'access_denied',
    next: 'Go back, reload the page and send the form again.',
  },
  cross_site_request: {
    status: 403,
    title: 'The request does not come from a page of this server',
    oauth: 'access_denied',
    next: "With cookies, send it from a page of the issuer's origin (the Origin header must be it). Elsewhere use tokens.",
  },
  session_not_found: {
    status: 400,
    title: 'This sign-in has expired or was already finished',
    oauth: 'invalid_request',
    next: 'Go back to the application you came from and sign in again.',
  },
  already_answered: {
    status: 409,
    title: 'This page was already answered',
    oauth: 'invalid_request',
    next: 'Only the first answer counts; this one changed nothing. Go back to the application you came from, and start again there if it does not go on.',
  },
  unauthenticated: {
    status: 401,
    title: 'A credential is missing or not valid',
    oauth: 'invalid_token',
    next: 'Send a valid API key or token. Unknown, expired and revoked ones look the same here; the audit trail has the reason.',
  },
  token_expired: {
    status: 401,
    title: 'The access token has expired',
    oauth: 'invalid_token',
    next: 'Use the refresh token to get a new one, or sign in again.',
  },
  invalid_credentials: {
    status: 401,
    title: 'The email address or the password is not right',
    oauth: 'access_denied',
    next: 'Check both and try again.',
  },
  invalid_refresh_token: {
    status: 401,
    title: 'The refresh token is not valid',
    oauth: 'invalid_grant',
    next: 'Sign in again.',
  },
  insufficient_scope: {
    status: 403,
    title: 'The credential does not allow this',
    oauth: 'insufficient_scope',
    next: 'Use a credential with the scope that is named, for this environment and audience.',
  },
  rate_limit_exceeded: {
    status: 429,
    title: 'The rate limit is reached',
    oauth: 'slow_down',
    next: 'Wait for the time given in Retry-After. RateLimit-Policy says what is allowed.',
  },
  sign_up_closed: {
    status: 403,
    title: 'Sign-up is closed',
    oauth: 'access_denied',
    next: 'Ask the operator for an account. Operators open sign-up with GATEHOUSE_SIGN_UP.',
  },
  email_taken: {
    status: 409,
    title: 'There is an account with this email address',
    oauth: 'invalid_request',
    next: 'Sign in, or use another address.',
  },
  conflict: {
    status: 409,
    title: 'The request does not fit what is stored',
    oauth: 'invalid_request',
    next: 'Read the current state and try again.',
  },
  idempotency_mismatch: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    oauth: 'invalid_request',
    next: 'Use a new Idempotency-Key for a new request.',
  },
  provider_key_missing: {
    status: 400,
    title: 'There is no key for this provider',
    oauth: 'invalid_request',
    next: 'Store a key for the provider, or send one with the request.',
  },
  provider_key_refused: {
    status: 422,
    title: 'The provider does not accept this key',
    oauth: 'invalid_request',
    next: 'Check the key with the provider and enter it again.',
  },
  provider_key_unreadable: {
    status: 409,
    title: 'The stored key must be entered again',
    oauth: 'invalid_request',
    next: 'Replace the value of this provider key.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    oauth: 'invalid_request',
    next: 'Check the address and every id in it. The endpoints are listed at /.well-known/openid-configuration and /v1/docs.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    oauth: 'invalid_request',
    next: 'Use one of the methods in the Allow header.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The content type is not supported',
    oauth: 'invalid_request',
    next: 'Send the content type that is named.',
  },
  payload_too_large: {
    status: 413,
    title: 'The request is too large',
    oauth: 'invalid_request',
    next: 'Send a smaller request.',
  },
  headers_too_large: {
    status: 431,
    title: "The request's headers are too large",
    oauth: 'invalid_request',
    next: 'Send fewer or smaller headers: cookies mostly. The operator raises the limit with GATEHOUSE_MAX_HEADER_BYTES.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    oauth: 'invalid_request',
    next: 'Send the request again.',
  },
  misdirected_host: {
    status: 421,
    title: 'This server does not answer for that host',
    oauth: 'invalid_request',
    next: 'Use the host name of the issuer.',
  },
  https_required: {
    status: 403,
    title: 'HTTPS is required',
    oauth: 'invalid_request',
    next: 'Send the request over HTTPS. Behind a proxy, name it in GATEHOUSE_TRUSTED_PROXIES.',
  },
  temporarily_unavailable: {
    status: 503,
    title: 'The server is busy or a store is not reachable',
    oauth: 'temporarily_unavailable',
    next: 'Wait for the time given in Retry-After and try again; nothing was changed.',
  },
  server_error: {
    status: 500,
    title: 'Something went wrong on our side',
    oauth: 'server_error',
    next: 'Try again. If it happens again, tell the operator the request id.',
  },
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof ERROR_CODES;
