import type { z } from 'zod';

/** What to write instead, in place of zod's words for programmers. Settings that need more say it themselves. */
export function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'number' || issue.expected === 'int' ? 'use a whole number' : undefined;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `use at least ${issue.minimum}`;
    case 'too_big':
      return `use at most ${issue.maximum}`;
    case 'invalid_value':
      return `use one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'use an absolute URL, http or https' : undefined;
    default:
      return undefined;
  }
}
