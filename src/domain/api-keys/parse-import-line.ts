import { z } from 'zod';
import type { ImportedApiKey } from './manage-api-keys.ts';

/** The names are those of the JSON API. An unknown one is refused: a misspelt `expires_at` would make a key without an end. */
const Line = z.strictObject({
  owner: z.string(),
  name: z.string(),
  digest: z.string(),
  algorithm: z.enum(['sha256', 'hmac-sha256']),
  environment: z.string().optional(),
  scopes: z.array(z.string()).optional(),
  prefix: z.string().optional(),
  last_four: z.string().optional(),
  expires_at: z.number().optional(),
  namespace: z.string().optional(),
});

/** One line of an import file, a JSON object; or what is wrong with its form. Says nothing of what stands in it otherwise. */
export function parseImportLine(text: string): { key: ImportedApiKey } | { problem: string } {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON' };
  }
  const { data, error } = Line.safeParse(content);
  if (data) {
    const { last_four: lastFour, expires_at: expiresAt, ...others } = data;
    return { key: { ...others, lastFour, expiresAt } };
  }
  const problems = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  return { problem: problems.join('; ') };
}
