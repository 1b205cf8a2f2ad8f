import type { Context } from 'koa';
import { setRateLimitHeaders } from '../../../http/rate-limit-headers.ts';
import { factsOf, parseAddress } from '../../../http/request-context.ts';
import type { Clock } from '../../../kit/clock.ts';
import { AppError } from '../../../kit/errors.ts';
import { createAllowCaching } from '../allow-caching.ts';
import { noticeOldSecret, principalAnswer } from '../answers.ts';
import type { Handlers } from '../call.ts';
import type { CredentialPlaces } from '../dialect.ts';
import { ANY_ENVIRONMENT, type EnvironmentsOf } from '../environments.ts';
import type { Guard } from '../guard.ts';
import { judgedRequest, proofsOf } from '../judged-request.ts';

/** Who is this, and may they? For resource servers that ask themselves; forward-auth.ts is the same for proxies. */
export function createVerifyHandler({
  guard,
  environmentsOf,
  believesAddress,
  places,
  legacyRateLimitHeaders,
  thumbprintOf,
  clock,
}: {
  guard: Guard;
  environmentsOf: EnvironmentsOf;
  /** Whether the caller's word counts on the request that it asks about: where it came from, and what was proved with it. */
  believesAddress: (ctx: Context) => Promise<boolean>;
  places: CredentialPlaces;
  legacyRateLimitHeaders: boolean;
  thumbprintOf: (ctx: Context) => string | null;
  clock: Clock;
}): Pick<Handlers, 'verify'> {
  const allowCaching = createAllowCaching(places);
  return {
    async verify(input, { ctx, presented }) {
      const {
        credential,
        required_scopes: scopes,
        audience,
        environment,
        ip,
        method,
        url,
        certificate_thumbprint: certificateThumbprint,
      } = input;
      // Who shows a credential and asks nothing else is its holder, who learns of which environment it is.
      const asksForItself = Object.values(input).every((value) => value === undefined);
      // Basic is how a resource server says who it is; the credential it asks about stands in the body then.
      const isOwnProof = credential !== undefined && /^basic /i.test(ctx.get('authorization'));
      const inHeaders = isOwnProof && presented.credential?.text === '' ? null : presented.credential;
      const about = { ip, method, url, certificateThumbprint };
      const told = Object.values(about).some((value) => value !== undefined);
      // What a stranger says of the request is left aside: nobody gets past the bounds of a stolen credential by making it up.
      const believed: Partial<typeof about> = told && (await believesAddress(ctx)) ? about : {};
      if (credential !== undefined && inHeaders !== null && inHeaders.text !== credential) {
        throw new AppError('invalid_request', { public: 'the request carries two different credentials; send one' });
      }
      const admitted = await guard(
        // A bound token is not freed of its binding by being passed on in a body.
        inHeaders ??
          (credential === undefined ? null : { text: credential, from: proofsOf(ctx).length > 0 ? 'dpop' : 'body' }),
        {
          ...(scopes === undefined ? {} : { scopes }),
          ...(audience === undefined ? {} : { audiences: [audience].flat() }),
          ...environmentsOf(asksForItself ? ANY_ENVIRONMENT : environment),
        },
        {
          facts: factsOf(ctx),
          ...(believed.ip === undefined ? {} : { ip: parseAddress(believed.ip) ?? believed.ip }),
          judged: judgedRequest(ctx, thumbprintOf, believed),
          onLimits: (decision) =>
            setRateLimitHeaders(ctx, decision, { legacy: legacyRateLimitHeaders, nowSeconds: clock.nowSeconds() }),
        },
      );
      const { principal } = admitted;
      allowCaching(ctx, admitted);
      noticeOldSecret(ctx, principal);
      return principalAnswer(principal);
    },
  };
}
