/** An API that accepts our access tokens (RFC 8707 calls its identifier a resource). */
export interface ResourceServer {
  /** Absolute URI without fragment; the `aud` of its tokens. */
  identifier: string;
  name: string;
  /** What each scope allows, in words an end user understands. */
  scopes: readonly { name: string; description: string }[];
  accessTokenFormat: 'jwt' | 'opaque';
  accessTokenLifetimeSeconds: number;
  /** The client under which it introspects. */
  clientId: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** RFC 8707 section 2: an absolute URI, no fragment. */
export function isResourceIdentifier(value: string): boolean {
  return value.length <= 512 && URL.canParse(value) && !value.includes('#') && /^[\x21-\x7e]+$/.test(value);
}
