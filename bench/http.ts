import { Agent, request } from 'node:http';
import { FORM, PROXY_HEADERS } from './fixtures.ts';

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

export interface HttpClient {
  /** `form` and `json` make it a POST. Follows no redirects. */
  send(
    path: string,
    options?: { form?: string; json?: object; headers?: Readonly<Record<string, string>> },
  ): Promise<Answer>;
  close(): void;
}

/** One request at a time on a connection that stays open. */
export function createHttpClient(port: number): HttpClient {
  const agent = new Agent({ keepAlive: true });
  return {
    send: (path, { form, json, headers = {} } = {}) =>
      new Promise((resolve, reject) => {
        const body = json ? JSON.stringify(json) : form;
        const type = body === undefined ? {} : { 'Content-Type': json ? 'application/json' : FORM };
        const options = {
          ...{ host: '127.0.0.1', port, path, agent, method: body === undefined ? 'GET' : 'POST' },
          headers: { ...PROXY_HEADERS, ...type, ...headers },
        };
        const sent = request(options, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        });
        sent.on('error', reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** The answer, if it has the status that is due. */
export function due(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`HTTP ${answer.status} instead of ${status}: ${answer.body.slice(0, 500)}`);
  return answer;
}
