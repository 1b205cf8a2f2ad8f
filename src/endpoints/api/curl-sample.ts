import { headerName } from './openapi-security.ts';
import { prettyJson } from './pretty-json.ts';

export type SampleCredential =
  | { kind: 'basic' }
  | { kind: 'bearer'; variable: string }
  | { kind: 'header'; name: string };

/** A command for a shell; credentials are taken from its variables, so that none stands in its history. */
export function curlSample({
  method,
  url,
  query,
  body,
  credential,
}: {
  method: string;
  url: string;
  query: readonly [string, unknown][];
  body: object | undefined;
  credential: SampleCredential | null;
}): string {
  const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, String(value)])).toString();
  const target = quote(search === '' ? url : `${url}?${search}`);
  // -d makes it a POST already, without it a GET.
  const usual = body ? 'POST' : 'GET';
  return [
    `curl ${method === usual ? '' : `-X ${method} `}${target}`,
    ...(credential ? [credentialFlag(credential)] : []),
    ...(body ? ["-H 'Content-Type: application/json'", `-d ${quote(prettyJson(body))}`] : []),
  ].join(' \\\n  ');
}

function credentialFlag(credential: SampleCredential): string {
  switch (credential.kind) {
    case 'basic':
      return '-u "$CLIENT_ID:$CLIENT_SECRET"';
    case 'bearer':
      return `-H "Authorization: Bearer $${credential.variable}"`;
    case 'header':
      return `-H "${headerName(credential.name)}: $API_KEY"`;
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
