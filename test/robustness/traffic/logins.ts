/** People who sign in by JSON, refresh, sign out; and new ones. */
import { randomUUID } from 'node:crypto';
import type { Call } from '../ledger.ts';
import { type Answer, type Asker, json } from './asker.ts';
import { LIFETIMES, type Person, type Scene, type Traffic, verifiable } from './scene.ts';
import { type Holding, probe } from './wallet.ts';

interface Session {
  accessToken: string;
  refreshToken: string;
  names: string[];
}

export function createLoginTraffic(scene: Scene, person: Person): Traffic {
  /** The tokens of an answer, in the ledger and in the wallet. */
  function receive(answer: Answer, call: Call): Session | null {
    if (answer.status !== 200) return null;
    const { access_token: accessToken, refresh_token: refreshToken } = answer.body;
    const name = scene.nameOf('login token', accessToken);
    const holding: Holding = verifiable(scene, name, accessToken, { lifetimeMs: LIFETIMES.loginTokenMs });
    call.gives = [holding];
    call.result = `${name} and ${scene.nameOf('login refresh token', refreshToken)}`;
    scene.wallet.add(holding);
    return { accessToken, refreshToken, names: [name] };
  }

  async function refresh(asker: Asker, session: Session): Promise<Session | null> {
    const used = scene.nameOf('login refresh token', session.refreshToken);
    const claims = { uses: { thing: `use of ${used}`, rule: 'same', retryForMs: LIFETIMES.graceMs } } as const;
    const send = json(scene.issuer, '/v1/auth/refresh', { body: { refresh_token: session.refreshToken } });
    let next: Session | null = null;
    const read = (answer: Answer, call: Call): void => {
      next = receive(answer, call) ?? next;
    };
    if (asker.random.chance(0.3)) await asker.askBoth('refresh login', claims, send, read);
    if (!next) await asker.insist('refresh login', claims, send, read);
    return next && { ...(next as Session), names: [...session.names, ...(next as Session).names] };
  }

  async function signUp(asker: Asker): Promise<Person> {
    const newcomer = { email: `${randomUUID()}@example.com`, password: 'a password of a newcomer' };
    // A retry is told that there is such an account: the first try may have made it.
    const uses = { thing: `account of ${newcomer.email}`, rule: 'same', retryForMs: 0 } as const;
    // Few people may sign up from one address.
    const address = `10.${asker.random.integer(1, 255)}.${asker.random.integer(0, 255)}.1`;
    const send = json(scene.issuer, '/v1/auth/sign-up', { body: newcomer, address });
    const { answer } = await asker.insist('sign up', { uses }, send, (_, call) => {
      call.result = 'the account';
    });
    return answer && answer.status < 500 ? newcomer : person;
  }

  return {
    async step(asker) {
      const who = asker.random.chance(0.15) ? await signUp(asker) : person;
      let session: Session | null = null;
      await asker.ask('login', {}, json(scene.issuer, '/v1/auth/login', { body: who }), {
        read(answer, call) {
          session = receive(answer, call);
        },
      });
      if (session && asker.random.chance(0.6)) session = await refresh(asker, session);
      if (session && asker.random.chance(0.4)) {
        const { accessToken, names } = session as Session;
        const send = json(scene.issuer, '/v1/auth/logout', { body: {}, bearer: accessToken });
        await asker.insist('log out', { ends: names, mayRefuse: true }, send);
      }
      await asker.rest(700);
    },
  };
}

/** Resource servers that ask about anything, good or ended. */
export function createVerifyTraffic({ wallet }: Scene): Traffic {
  return {
    async step(asker) {
      const holding = wallet.any(asker);
      if (holding) await probe(asker, holding);
      await asker.rest(60);
    },
    async questions(asker) {
      for (const holding of wallet.newest(80)) await probe(asker, holding);
    },
  };
}
