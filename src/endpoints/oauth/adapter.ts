import { type Adapter, type AdapterPayload, errors, Provider } from 'oidc-provider';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { Client } from '../../domain/clients/client.ts';
import type { TokenKind, TokenRecord } from '../../domain/tokens/token-record.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import { factsOf } from '../../http/request-context.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { toEngineMetadata } from './client-metadata.ts';
import type { OpenAuthorizations } from './open-authorizations.ts';
import type { EnginePayload, Granted, TokenCodec } from './token-codec.ts';
import type { TokenUnit } from './token-unit.ts';

/** The unit of work of the token request under way, if any. */
const currentUnit = (): TokenUnit | undefined => Provider.ctx?.state.tokenUnit as TokenUnit | undefined;

const isSigningOut = (): boolean => Provider.ctx?.oidc.route === 'end_session_confirm';

/** What the authorization under way grants: its code carries it until it is redeemed. */
function grantedHere(): Granted | undefined {
  const grant = Provider.ctx?.oidc.entities.Grant as Granted | undefined;
  return grant && { openid: grant.openid, resources: grant.resources };
}

/** Sealed. With its key and all that Redis or SQL adds that is 3 KB: about 1900 characters of state that no compression makes shorter. */
export const MAX_ANONYMOUS_CHARACTERS = 2400;

type Authorizations = Record<string, { grantId?: string }>;

/** The engine's storage, by model name. Every guarantee the engine lacks (atomicity, digests) is made here or below. */
export function createAdapterFactory({
  tokens,
  codec,
  clock,
  findClient,
  sessionAbsoluteSeconds,
  open,
  audit,
}: {
  audit: RecordAudit;
  tokens: TokenStore;
  codec: TokenCodec;
  clock: Clock;
  findClient: (id: string) => Promise<Client | null>;
  sessionAbsoluteSeconds: number;
  open: OpenAuthorizations;
}): (model: string) => Adapter {
  return (model) => (model === 'Client' ? clientAdapter(findClient) : tokenAdapter(model as TokenKind));

  /**
   * All sessions of one sign-in as one: two tabs that finish at once leave two records with one uid, and neither may lose
   * what the other was given. Per client the newest entry that has a grant counts.
   */
  async function siblings(uid: string): Promise<EnginePayload | undefined> {
    // By the uid that is sealed: a row that only says so belongs to another sign-in.
    const [newest, ...older] = (await tokens.findByUid(uid))
      .map((record) => codec.open(record))
      .filter((session) => session?.uid === uid)
      .filter((session) => session !== null);
    if (!newest) return undefined;
    const authorizations: Authorizations = {};
    for (const session of [newest, ...older]) {
      for (const [clientId, entry] of Object.entries((session.authorizations ?? {}) as Authorizations)) {
        if (!authorizations[clientId]?.grantId) authorizations[clientId] = { ...entry, ...authorizations[clientId] };
      }
    }
    return { ...newest, authorizations };
  }

  /**
   * Ends a sign-in: the session of the cookie, and those that other tabs left. First it is marked as ended, because requests
   * under way write their session back when they finish: those that come before the mark are found here, those that come after
   * find the mark.
   */
  async function endSessions(key: string): Promise<void> {
    const ctx = Provider.ctx;
    const { uid, accountId } = ctx?.oidc.session ?? {};
    if (ctx && accountId) {
      const { ip, requestId } = factsOf(ctx);
      await audit('account.signed_out', { accountId, ip, requestId });
    }
    if (uid) await tokens.insert(codec.encode('EndedSession', uid, {}, sessionAbsoluteSeconds));
    const [all] = uid ? await Promise.all([tokens.findByUid(uid), tokens.removeBySession(uid)]) : [[]];
    await Promise.all([key, ...all.map((session) => session.id)].map((id) => tokens.remove('Session', id)));
  }

  async function saveSession(record: TokenRecord): Promise<void> {
    await tokens.save(record);
    const ended = await tokens.find('EndedSession', codec.keyOf('EndedSession', record.uid ?? ''));
    if (!ended) return;
    await tokens.remove('Session', record.id);
    throw new errors.SessionNotFound('signed out meanwhile');
  }

  /**
   * A step is new, or it is answered: by the first who does, once, and never after the authorization went on without it. The
   * engine changes an answered step once more when another account signs in.
   */
  async function saveInteraction(record: TokenRecord, { result }: EnginePayload): Promise<void> {
    if (result === undefined) {
      if (record.accountId === null) await admitAnonymous(record);
      return tokens.save(record);
    }
    if (Provider.ctx === undefined) {
      if (await tokens.update(record, { consumeAtMs: clock.nowMs() })) return;
      throw new AppError('already_answered');
    }
    if (!(await tokens.update(record))) throw new errors.SessionNotFound('the interaction was already finished');
  }

  /** Until somebody signs in it is anybody's, so it is small, and there are only so many. */
  async function admitAnonymous({ id, payload }: TokenRecord): Promise<void> {
    if (payload.length > MAX_ANONYMOUS_CHARACTERS) {
      throw new errors.InvalidRequest('the authorization request is too long');
    }
    const ctx = Provider.ctx;
    const madeRoom = ctx ? open.admit(id, factsOf(ctx).addressGroup) : null;
    if (madeRoom !== null) await tokens.remove('Interaction', madeRoom);
  }

  /** "Stay signed in" ends what the application that asked was given in this sign-in. */
  async function leaveApplication(): Promise<void> {
    const { session } = Provider.ctx?.oidc ?? {};
    const clientId = session?.state?.clientId;
    if (session && typeof clientId === 'string') await tokens.removeBySession(session.uid, clientId);
  }

  function tokenAdapter(kind: TokenKind): Adapter {
    return {
      async upsert(id, payload, expiresIn) {
        const granted = kind === 'AuthorizationCode' ? { grant: grantedHere() } : {};
        const record = codec.encode(kind, id, { ...(payload as EnginePayload), ...granted }, expiresIn);
        const unit = currentUnit();
        if (unit && (kind === 'AccessToken' || kind === 'RefreshToken')) unit.inserts.push(record);
        else if (kind === 'Session') await saveSession(record);
        else if (kind === 'Interaction') await saveInteraction(record, payload as EnginePayload);
        else await tokens.save(record);
      },
      async find(id) {
        const key = codec.keyOf(kind, id);
        const unit = currentUnit();
        if (kind === 'Grant' && unit?.grant?.id === key) return codec.decode(unit.grant, id) as AdapterPayload;
        const known = unit?.known;
        const record = known?.kind === kind && known.id === key ? known : await tokens.find(kind, key);
        if (!record) return undefined;
        if (unit && kind === 'Grant') unit.grant = record;
        const payload = codec.open(record, id);
        if (!payload) return undefined;
        // Signing out ends what every tab of this sign-in was given.
        const all = kind === 'Session' && isSigningOut() ? await siblings(payload.uid ?? '') : undefined;
        return { ...payload, ...(all && { authorizations: all.authorizations }) } as AdapterPayload;
      },
      async findByUid(uid) {
        return (await siblings(uid)) as AdapterPayload | undefined;
      },
      async findByUserCode(userCode) {
        const record = await tokens.findByUserCode(userCode);
        return ((record && codec.open(record)) ?? undefined) as AdapterPayload | undefined;
      },
      async consume(id) {
        const key = codec.keyOf(kind, id);
        const unit = currentUnit();
        if (unit && (kind === 'AuthorizationCode' || kind === 'RefreshToken')) {
          unit.consume = { kind, id: key };
        } else if (!(await tokens.consume(kind, key, clock.nowMs()))) {
          throw kind === 'PushedAuthorizationRequest'
            ? new errors.InvalidRequestUri('request_uri was already used')
            : new errors.InvalidGrant(`${kind} was already used`);
        }
      },
      async destroy(id) {
        const key = codec.keyOf(kind, id);
        if (kind === 'Grant') {
          if (isSigningOut() && !Provider.ctx?.oidc.params?.logout) await leaveApplication();
          return tokens.removeByGrant(id, key);
        }
        if (kind === 'Session' && isSigningOut() && Provider.ctx?.oidc.params?.logout) return endSessions(key);
        const removed = await tokens.remove(kind, key);
        if (kind === 'Interaction') open.finished(key);
        // Two tabs resuming one interaction: the one that removed it goes on, the other has nothing left to finish.
        if (kind === 'Interaction' && !removed)
          throw new errors.SessionNotFound('the interaction was already finished');
      },
      async revokeByGrantId(grantId) {
        // The engine asks once per model; the first (it always asks for AccessToken) removes them all.
        if (kind === 'AccessToken') await tokens.removeByGrant(grantId);
      },
    };
  }
}

function clientAdapter(findClient: (id: string) => Promise<Client | null>): Adapter {
  const readOnly = async (): Promise<never> => {
    throw new TypeError('clients are not written through the engine');
  };
  return {
    async find(id) {
      const client = await findClient(id);
      return client ? toEngineMetadata(client) : undefined;
    },
    upsert: readOnly,
    findByUid: readOnly,
    findByUserCode: readOnly,
    consume: readOnly,
    destroy: readOnly,
    revokeByGrantId: readOnly,
  };
}
