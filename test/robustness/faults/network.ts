/** The way to a store: cut, silent, slow, and every connection ended at once. */
import type { TcpProxy } from '../../support/tcp-proxy.ts';
import type { Deployment } from '../deployment.ts';
import { between, type Fault, type Place } from './fault.ts';

function ways(store: string, concerns: (place: Place) => boolean, of: (deployment: Deployment) => TcpProxy): Fault[] {
  const common = { of: 'surroundings', concerns, healsInMs: 500 } as const;
  return [
    {
      ...common,
      name: `${store}: connections cut`,
      draw: between(300, 5_000),
      async inject(deployment) {
        await of(deployment).cut();
        return () => of(deployment).restore();
      },
    },
    {
      ...common,
      name: `${store}: connections reset once`,
      draw: between(200, 1_000),
      async inject(deployment) {
        await of(deployment).cut();
        await of(deployment).restore();
        return async () => {};
      },
    },
    {
      ...common,
      name: `${store}: network silent`,
      draw: between(1_000, 8_000),
      async inject(deployment) {
        await of(deployment).pause();
        return () => of(deployment).restore();
      },
    },
    {
      ...common,
      name: `${store}: network slow`,
      draw: between(2_000, 5_000, [20, 60, 150]),
      async inject(deployment, { amount }) {
        await of(deployment).delay(amount);
        return () => of(deployment).restore();
      },
    },
  ];
}

function required(proxy: TcpProxy | null): TcpProxy {
  if (!proxy) throw new Error('there is no network to this store');
  return proxy;
}

export const NETWORK_FAULTS: readonly Fault[] = [
  ...ways(
    'database',
    ({ database }) => database !== 'sqlite',
    ({ sqlProxy }) => required(sqlProxy),
  ),
  ...ways(
    'Redis',
    ({ redis }) => redis,
    ({ redisProxy }) => required(redisProxy),
  ),
];
