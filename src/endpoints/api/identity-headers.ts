import type { Principal } from '../../domain/credentials/principal.ts';

/**
 * What an upstream learns of the caller. Every header is always there, empty when nothing is known: a proxy that copies them
 * overwrites whatever the caller sent under these names.
 */
export function identityHeaders(principal: Principal | null): Record<string, string> {
  return {
    'X-Auth-Subject': principal?.subject ?? '',
    'X-Auth-Subject-Type': principal?.subjectType ?? '',
    'X-Auth-Client': principal?.clientId ?? '',
    'X-Auth-Key-Id': principal?.keyId ?? '',
    'X-Auth-Namespace': principal?.namespace ?? '',
    'X-Auth-Environment': principal?.environment ?? '',
    'X-Auth-Scopes': principal?.scopes.join(' ') ?? '',
    'X-Auth-Audience': principal?.audience ?? '',
    'X-Auth-Method': principal?.method ?? '',
  };
}
