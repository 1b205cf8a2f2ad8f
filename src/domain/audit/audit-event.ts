/** Every security event that is recorded. A closed union: a new kind is added here first. */
export const AUDIT_TYPES = [
  'account.created',
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
