import type { z } from 'zod';

/** What to write instead, in place of zod's words for programmers. Settings that need more say it themselves. */
export function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return {
        number: 'use a whole number',
        int: 'use a whole number',
        string: 'use a text',
        array: 'use a list',
        boolean: 'use true or false',
        object: 'use an object',
      }[String(issue.expected)];
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `use at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string' ? `use at most ${issue.maximum} characters` : `use at most ${issue.maximum}`;
    case 'invalid_value':
      return `use one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'use an absolute URL, http or https' : undefined;
    default:
      return undefined;
  }
}
