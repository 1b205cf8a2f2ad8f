import type { Context } from 'koa';
import { AppError } from '../kit/errors.ts';
import { readBody } from './parameters.ts';

/**
 * What a form content type may hold. `fields`: a form. `json`: JSON all the same, which is what `curl -d '{…}'` sends; fields
 * too. `refused`: nothing; a form can be posted by any page on the web.
 */
export type FormBodies = 'refused' | 'fields' | 'json';

/** A member of a request, before it is checked. */
export type Members = Record<string, unknown>;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The members of a JSON object, or of a form where forms are let in. No body at all has none. */
export async function readMembers(
  ctx: Context,
  { forms, limitBytes = 65_536 }: { forms: FormBodies; limitBytes?: number },
): Promise<Members> {
  const bytes = await readBody(ctx, limitBytes);
  if (bytes.length === 0) return {};
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new AppError('invalid_request', { public: 'the request body is not valid UTF-8', cause });
  }
  const type = (ctx.req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/json' || type?.endsWith('+json')) return parseJson(text);
  if (type === 'application/x-www-form-urlencoded' && forms !== 'refused') {
    return forms === 'json' && text.trimStart().startsWith('{') ? parseJson(text) : parseForm(text);
  }
  throw new AppError('unsupported_media_type', { public: 'send the body as application/json' });
}

function parseJson(text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_request', { public: 'the request body is not valid JSON', cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', { public: 'the request body must be a JSON object' });
  }
  return value as Members;
}

function parseForm(text: string): Members {
  // Without a prototype, so that `__proto__` is a name like any other.
  const members = Object.create(null) as Members;
  for (const [name, value] of new URLSearchParams(text)) {
    if (Object.hasOwn(members, name)) {
      throw new AppError('invalid_request', {
        public: 'a member of the form is repeated',
        facts: { fields: [{ field: name.slice(0, 64), problem: 'must not be repeated' }] },
      });
    }
    members[name] = value;
  }
  return members;
}
