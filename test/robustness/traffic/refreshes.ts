/** Chains of refreshes: by one client, by two tabs at once, and ended by revocation now and then. */
import type { Party } from '../../support/e2e-parties.ts';
import type { Call } from '../ledger.ts';
import { wasRefused } from '../ledger.ts';
import type { Answer, Told } from './asker.ts';
import { createAuthorizer, type Grant, receive, redeem, revoke } from './grants.ts';
import { LIFETIMES, type Person, type Scene, type Traffic } from './scene.ts';

export function createRefreshTraffic(scene: Scene, client: Party, person: Person): Traffic {
  const authorizer = createAuthorizer(scene, client, person);
  let chain: Grant | null = null;

  return {
    async step(asker) {
      if (!chain) {
        const issued = await authorizer.code(asker);
        chain = issued && (await redeem(asker, scene, issued));
        return asker.rest(200);
      }
      const grant: Grant = chain;
      const used = scene.nameOf('refresh token', grant.refreshToken);
      // From now on it is used up, or may be.
      scene.wallet.drop(used);
      const claims = { uses: { thing: `use of ${used}`, rule: 'same', retryForMs: LIFETIMES.graceMs } } as const;
      const send = (fetch: Parameters<typeof scene.flows.refresh>[0]) =>
        scene.flows.refresh(fetch, client, grant.refreshToken);
      let next: Grant | null = null;
      const read = (answer: Answer, call: Call): void => {
        next = receive(scene, client, answer, call) ?? next;
      };

      let told: Told[] = [];
      if (asker.random.chance(0.2)) told = await asker.askBoth('refresh', claims, send, read);
      if (!next) told = [...told, await asker.insist('refresh', claims, send, read)];

      if (next) chain = { ...(next as Grant), names: [...grant.names, ...(next as Grant).names] };
      for (const { call } of told.filter((one) => wasRefused(one.call))) {
        // The use of a used token is the end of all.
        call.ends = grant.names;
        call.endsByRefusal = true;
        chain = null;
      }
      if (chain && asker.random.chance(0.06)) {
        await revoke(asker, scene, chain);
        chain = null;
      }
      await asker.rest(120);
    },
  };
}
