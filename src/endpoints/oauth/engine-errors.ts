import { errors } from 'oidc-provider';
import { asAppError } from '../../http/errors.ts';
import { ERROR_CODES, type ErrorCodeName } from '../../kit/error-codes.ts';
import { AppError } from '../../kit/errors.ts';

/** The engine's OAuth errors as ours. Its `error_detail` may say more than a caller should know, so it goes to the log. */
export function fromEngineError(error: unknown): AppError {
  if (!(error instanceof errors.OIDCProviderError)) return asAppError(error);
  const code = error.error as ErrorCodeName;
  if (!(code in ERROR_CODES))
    return new AppError('invalid_request', { public: error.error_description ?? error.error, cause: error });
  const { error_detail: detail } = error as { error_detail?: string };
  return new AppError(code, {
    public: error.error_description ?? ERROR_CODES[code].title,
    ...(detail === undefined ? {} : { internal: detail }),
    cause: error,
  });
}
