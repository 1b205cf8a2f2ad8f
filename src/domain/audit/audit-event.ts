/** Every security event that is recorded. A closed union: a new kind is added here first. */
export const AUDIT_TYPES = [
  'account.created',
  'account.deleted',
  'account.disabled',
  'account.enabled',
  'account.password_set',
  'account.signed_in',
  'account.sign_in_failed',
  'account.sign_in_throttled',
  'account.signed_out',
  'client.created',
  'client.updated',
  'client.secret_rotated',
  'client.deleted',
  'client.authentication_failed',
  'consent.granted',
  'consent.denied',
  'code.reused',
  'refresh_token.reused',
  /** Within the grace window, from another address than the first use. */
  'refresh_token.replayed',
  'token.revoked',
  'resource.created',
  'resource.deleted',
  'signing_key.created',
  'signing_key.activated',
  'signing_key.retired',
  'signing_key.removed',
  'secrets.rotated',
  /** Every row that authorizes has its MAC from now on; `rows` had none. */
  'rows.authenticated',
  'rows.window_reopened',
  'account.scopes_set',
  'login.refresh_token_reused',
  'login.refresh_token_replayed',
  'api_key.created',
  'api_key.updated',
  'api_key.rotated',
  'api_key.revoked',
  'api_key.suspended',
  'api_key.resumed',
  'api_key.imported',
  'api_key.expiring',
  'api_key.leak_reported',
  /** A credential that was shown and not accepted; at most once a minute for the same reason. */
  'credential.refused',
  /** A credential stood in a URL. */
  'credential.exposed',
  'provider_key.added',
  'provider_key.updated',
  'provider_key.removed',
  'provider_key.used',
  'provider_key.passed_through',
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

/** Never holds a credential: identifiers and outcomes only. */
export interface AuditEvent {
  id: string;
  type: AuditType;
  /** Milliseconds since the epoch. */
  at: number;
  accountId: string | null;
  clientId: string | null;
  ip: string | null;
  requestId: string | null;
  /** Short, flat facts, for instance the reason of a failure. */
  details: Readonly<Record<string, string | number | boolean>>;
}
