import type { IncomingMessage } from 'node:http';

const NONE: readonly string[] = [];

/**
 * Every value sent under this name (in small letters), one for each time it was sent. Like `headersDistinct`, which is made of
 * all the headers of a request to read one.
 */
export function headerValues({ headers, rawHeaders }: IncomingMessage, name: string): readonly string[] {
  if (headers[name] === undefined) return NONE;
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] as string);
  }
  return values;
}
