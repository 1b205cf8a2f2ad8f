export interface Violation {
  /** The guarantee that was broken. */
  rule: string;
  /** What was seen, with names and times. */
  seen: string;
}
