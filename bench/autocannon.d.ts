/** The part of autocannon that is used here; it has no types of its own. */
declare module 'autocannon' {
  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    method: 'GET' | 'POST';
    headers: Readonly<Record<string, string>>;
    /** Sent in turn by each connection; their headers are added to those above. */
    requests: readonly { body?: string; headers?: Readonly<Record<string, string>> }[];
    verifyBody: (body: string) => boolean;
    /** Milliseconds between samples; the run ends with one. */
    sampleInt: number;
  }
  interface Result {
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
