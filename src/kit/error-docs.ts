import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** docs/errors.md. `npm run docs` writes it. */
export function errorsPage(codes: Readonly<Record<string, ErrorCode>> = ERROR_CODES): string {
  const rows = Object.entries(codes).map(
    ([code, { status, oauth, title, next }]) => `| \`${code}\` | ${status} | \`${oauth}\` | ${title} | ${next} |`,
  );
  return `<!-- Generated from src/kit/error-codes.ts by \`npm run docs\`. -->
# Errors

Every failure has one of these codes. OAuth endpoints answer with JSON, \`{ "error": …, "error_description": … }\` (RFC 6749 5.2), in
which \`error\` is the value of the third column; browsers get a page with the title and what to do. The description names what
was wrong with the request. Pages and the log carry a request id; the operator finds the cause under it.

| Code | Status | \`error\` | What it says | What to do |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
