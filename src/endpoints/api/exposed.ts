import type { Context } from 'koa';
import type { KeyFormat } from '../../domain/api-keys/key-format.ts';
import { looksLikeToken } from '../../domain/credentials/resolve.ts';
import { factsOf } from '../../http/request-context.ts';
import { AppError } from '../../kit/errors.ts';
import type { NoteRefusal } from './note-refusals.ts';

/** Refuses credentials in URLs, which end up in logs and histories (security requirement AK03), and records the exposure. */
export interface Exposed {
  refuseInUrl(ctx: Context, query: string): Promise<void>;
}

/** Names under which APIs take credentials in a query, and which mean nothing else. */
const NAMES = new Set([
  'access_token',
  'api_key',
  'apikey',
  'api-key',
  'x-api-key',
  'refresh_token',
  'credential',
  'password',
  'client_secret',
  'provider_key',
]);

export function createExposed({ format, noteRefusal }: { format: KeyFormat; noteRefusal: NoteRefusal }): Exposed {
  return {
    async refuseInUrl(ctx, query) {
      if (query === '') return;
      const found = [...new URLSearchParams(query)].find(
        ([name, value]) =>
          format.looksLikeKey(value) || looksLikeToken(value) || (NAMES.has(name.toLowerCase()) && value.length >= 8),
      );
      if (!found) return;
      const keyId = format.parse(found[1])?.id ?? null;
      await noteRefusal('credential.exposed', factsOf(ctx), { keyId }, {});
      throw new AppError('invalid_request', {
        public: 'A credential stood in the URL, where it ends up in logs. Send it in a header, and replace it.',
      });
    },
  };
}
