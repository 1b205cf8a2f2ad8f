/** A credential as it came, before anything is known of it. */
export interface PresentedCredential {
  text: string;
  /** Where it stood. A cookie comes along by itself, so a page of somebody else may have sent the request. */
  from: 'bearer' | 'dpop' | 'header' | 'body' | 'login-cookie' | 'session-cookie';
}
