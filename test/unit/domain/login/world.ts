/** The JSON login on a real database in memory, with a clock that can be moved and everything announced remembered. */
import type { Account } from '../../../../src/domain/accounts/account.ts';
import { createManageAccounts, type ManageAccounts } from '../../../../src/domain/accounts/manage-accounts.ts';
import { createPasswords, type Passwords } from '../../../../src/domain/accounts/password.ts';
import { createSignIn, type SignIn } from '../../../../src/domain/accounts/sign-in.ts';
import { createAudit } from '../../../../src/domain/audit/audit.ts';
import type { AuditEvent, AuditType } from '../../../../src/domain/audit/audit-event.ts';
import type { Announce } from '../../../../src/domain/credentials/announce.ts';
import { createThrottle } from '../../../../src/domain/limits/throttle.ts';
import { createLogin } from '../../../../src/domain/login/create-login.ts';
import type { LoginLifetimes } from '../../../../src/domain/login/issue-tokens.ts';
import type { Login, LoginOrigin, LoginTokens } from '../../../../src/domain/login/login.ts';
import { generateSigningKey } from '../../../../src/domain/signing-keys/key-material.ts';
import { type KeySet, loadKeySet } from '../../../../src/domain/signing-keys/key-set.ts';
import type { DurableTokenStore } from '../../../../src/domain/tokens/token-store.ts';
import { createDigester, type Digester } from '../../../../src/kit/digest.ts';
import { AppError } from '../../../../src/kit/errors.ts';
import { createLog } from '../../../../src/kit/log.ts';
import { createSealer } from '../../../../src/kit/seal.ts';
import { openStorage } from '../../../../src/storage/open-storage.ts';
import type { Stores } from '../../../../src/storage/stores.ts';

export const PASSWORD = 'correct horse battery staple';
export const ISSUER = 'https://auth.example.com';
export const AUDIENCE = 'https://api.example.com';
export const ORIGIN: LoginOrigin = {
  ip: '192.0.2.1',
  addressGroup: '192.0.2.1',
  requestId: 'request-1',
  userAgent: 'Example/1.0',
  knownDevice: null,
};
export const LIFETIMES: LoginLifetimes = {
  accessToken: 900,
  sessionIdle: 3600,
  sessionAbsolute: 7200,
  refreshGrace: 10,
};

export interface World extends AsyncDisposable {
  stores: Stores;
  login: Login;
  manageAccounts: ManageAccounts;
  signIn: SignIn;
  digester: Digester;
  keySet: KeySet;
  announced: string[];
  /** What every account has that has no scopes of its own. */
  scopes: string[];
  advance(seconds: number): void;
  nowSeconds(): number;
  /** A new account and its first sign-in. */
  signedIn(email?: string): Promise<LoginTokens>;
  /** What happens while a password is hashed. */
  during: { hash: () => Promise<void> };
  /** Passwords hashed so far. */
  hashed(): number;
  audited(type: AuditType): Promise<AuditEvent[]>;
  /** The same login in another process, as it were: with this token store. */
  loginOn(tokens: DurableTokenStore): Login;
}

export async function createWorld({
  lifetimes = {},
  signUpOpen = true,
}: {
  lifetimes?: Partial<LoginLifetimes>;
  signUpOpen?: boolean;
} = {}): Promise<World> {
  let offsetMs = 0;
  const nowMs = (): number => Date.now() + offsetMs;
  const clock = { nowMs, nowSeconds: () => Math.floor(nowMs() / 1000) };
  const log = createLog({ level: 'silent', destination: { write: () => {} } });
  const stores = await openStorage({ databaseUrl: 'sqlite::memory:', log, clock });
  await stores.migrations.up();

  const digester = createDigester(Buffer.alloc(32, 1));
  const sealer = createSealer(['a key-encryption secret of the tests, long enough']);
  const audit = createAudit({ store: stores.audit, clock });
  const announced: string[] = [];
  const announce: Announce = async (...tags) => void announced.push(...tags);
  const argon2 = createPasswords({ concurrency: 2, queueLimit: 1000 });
  let hashed = 0;
  const passwords: Passwords = {
    ...argon2,
    async hash(password) {
      hashed += 1;
      await during.hash();
      return argon2.hash(password);
    },
  };
  const during = { hash: async () => {} };
  const throttle = createThrottle({ store: stores.throttle, digester, clock });
  const scopes = ['read', 'write'];
  await stores.signingKeys.insert(await generateSigningKey('ES256', 'active', sealer, clock.nowMs()));
  const keySet = await loadKeySet({ store: stores.signingKeys, sealer });
  const { accounts, tokens } = stores;
  const manageAccounts = createManageAccounts({
    accounts,
    tokens,
    passwords,
    audit,
    announce,
    clock,
    userScopes: ['read', 'write', 'admin'],
  });
  const signIn = createSignIn({ accounts, passwords, throttle, clock });
  const receiptDigester = createDigester(Buffer.alloc(32, 2));

  const loginOn = (on: DurableTokenStore): Login =>
    createLogin({
      signIn,
      manageAccounts,
      accounts,
      tokens: on,
      keySet,
      digester,
      receiptKey: (token) => receiptDigester.digest('refresh-receipt', token),
      announce,
      audit,
      clock,
      throttle,
      issuer: ISSUER,
      audience: AUDIENCE,
      scopesOf: (account: Account) => account.scopes ?? scopes,
      lifetimes: { ...LIFETIMES, ...lifetimes },
      signUpOpen,
    });
  const login = loginOn(tokens);

  return {
    stores,
    login,
    manageAccounts,
    signIn,
    digester,
    keySet,
    announced,
    scopes,
    advance(seconds) {
      offsetMs += seconds * 1000;
    },
    nowSeconds: clock.nowSeconds,
    async signedIn(email = 'ada@example.com') {
      await manageAccounts.create({ email, password: PASSWORD });
      return login.login({ email, password: PASSWORD }, ORIGIN);
    },
    during,
    hashed: () => hashed,
    audited: (type) => stores.audit.list({ type, limit: 1000 }),
    loginOn,
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  };
}

/** The code with which it fails; 'nothing' when it does not. */
export async function failureOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'nothing';
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

/** Calls the same thing 50 times at once. */
export const fiftyTimes = <T>(work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 50 }, (_, index) => work(index)));
