/** The part of autocannon that is used here; it has no types of its own. */
declare module 'autocannon' {
  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    method: 'POST';
    headers: Readonly<Record<string, string>>;
    /** Sent in turn by each connection. */
    requests: readonly { body: string }[];
    verifyBody: (body: string) => boolean;
    /** Milliseconds between samples; the run ends with one. */
    sampleInt: number;
  }
  interface Result {
    '2xx': number;
    non2xx: number;
    errors: number;
    mismatches: number;
    statusCodeStats: Record<string, { count: number }>;
    /** Seconds. */
    duration: number;
  }
  interface Run extends Promise<Result> {
    on(event: 'response', listener: (client: unknown, status: number, bytes: number, ms: number) => void): Run;
  }
  export default function autocannon(options: Options): Run;
}
