/** What may be cached about a credential, by what could end it. Sessions of the JSON login are grants by their session id. */
export type CredentialTag =
  | `key:${string}`
  | `account:${string}`
  | `client:${string}`
  | `grant:${string}`
  | `token:${string}`
  /** By its identifier. */
  | `resource:${string}`
  /** The first imported key exists. */
  | 'imported';

/** Tells every process to read anew whatever it remembers under these tags. Call it after the commit; never rejects. */
export type Announce = (...tags: readonly CredentialTag[]) => Promise<void>;
