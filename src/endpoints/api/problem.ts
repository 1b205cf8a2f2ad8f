import type { Dialect } from './dialect.ts';

/** RFC 9457, the error of the canonical API. `type` leads to docs/errors.md by the code. */
export const problem: Dialect['error'] = (error, { requestId }) => ({
  body: {
    type: `urn:gatehouse:error:${error.code}`,
    title: error.entry.title,
    status: error.entry.status,
    code: error.code,
    detail: error.public,
    next: error.entry.next,
    request_id: requestId,
    ...(error.facts.fields ? { fields: error.facts.fields } : {}),
    ...(error.facts.scope === undefined ? {} : { required_scope: error.facts.scope }),
    ...(error.facts.provider === undefined ? {} : { provider: error.facts.provider }),
  },
});
