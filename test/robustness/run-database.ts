/** One database: the deployment, the load, the faults one after the other, the questions, the verdict. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Deployment, deploy, NODES, recover } from './deployment.ts';
import type { Fault, Marks, Place } from './faults/fault.ts';
import { judge } from './judge/judge.ts';
import type { Violation } from './judge/violation.ts';
import { type Call, createLedger, type History, type Ledger, type NodeName } from './ledger.ts';
import { createRandom } from './random.ts';
import { describeRound, type Round, type Schedule, TRIGGER_MS } from './schedule.ts';
import { createApiKeyTraffic } from './traffic/api-keys.ts';
import { type Asker, createAsker } from './traffic/asker.ts';
import { createGrantTraffic } from './traffic/grants.ts';
import { createLoginTraffic, createVerifyTraffic } from './traffic/logins.ts';
import { createMachineTraffic } from './traffic/machines.ts';
import { createRefreshTraffic } from './traffic/refreshes.ts';
import { personOf, type Scene, setScene, type Traffic } from './traffic/scene.ts';
import { createVaultTraffic } from './traffic/vault.ts';
import { createWallet } from './traffic/wallet.ts';

export interface Verdict {
  violations: Violation[];
  history: History;
  /** Lines of level error in the logs, how often each. */
  errors: Record<string, number>;
}

const RECOVERY_SECONDS = 30;
/** docs/api.md, "How fast a revocation is seen"; then the judge makes no allowance any more. */
const STALENESS_MS = 6_000;

export async function runOnDatabase(place: Place, schedule: Schedule, seed: number): Promise<Verdict> {
  const ledger = createLedger();
  const clock = schedule.rounds.some(({ faults }) => faults.some(({ fault }) => fault.marks?.(DRAWN)?.movesClock));
  const deployment = await deploy(place, ledger, { clock });
  try {
    await deployment.start('a');
    await deployment.start('b');
    const wallet = createWallet();
    const services = await deployment.world.services();
    const scene = await setScene(services, { issuer: deployment.world.issuer, ledger, wallet });
    const load = startLoad(scene, deployment, ledger, seed);

    for (const round of schedule.rounds) {
      await sleep(round.leadMs);
      console.log(`  ${at(ledger)} ${describeRound(round)}`);
      const recoveredInMs = await play(round, deployment, ledger, scene);
      console.log(
        `  ${at(ledger)} ${recoveredInMs === null ? 'NOT RECOVERED' : `recovered in ${Math.round(recoveredInMs)} ms`}`,
      );
      // What follows would only say the same.
      if (recoveredInMs === null) break;
    }
    await sleep(1_000);
    await load.stop();
    await sleep(STALENESS_MS);
    await load.questions();
    await Promise.all(NODES.map((node) => deployment.stop(node)));
    deployment.readLogs();
    const history = ledger.history();
    return { violations: judge(history), history, errors: errorsIn(deployment.logs()) };
  } finally {
    await deployment.close();
  }
}

/** Stands for any: marks of the clock depend on no draw. */
const DRAWN = { node: 'a', holdMs: 0, amount: 0 } as const;

const at = (ledger: Ledger): string => `[${(ledger.nowMs() / 1000).toFixed(1).padStart(6)} s]`;

/** Injects, waits, heals, and waits for everything to work again; milliseconds of that, null when it did not. */
async function play(
  { trigger, faults }: Round,
  deployment: Deployment,
  ledger: Ledger,
  scene: Scene,
): Promise<number | null> {
  // Where a process is the target, its own request is the one that counts.
  const target = faults.find(({ fault }) => fault.of === 'process')?.draw.node;
  if (trigger) {
    const isWanted = ({ operation, node }: Call): boolean =>
      operation === trigger.operation && (target === undefined || node === target);
    await ledger.next(trigger.moment, isWanted, TRIGGER_MS);
    if (trigger.afterMs > 0) await sleep(trigger.afterMs);
  }
  const startedMs = ledger.nowMs();
  const marks = faults.map(({ fault, draw }) => fault.marks?.(draw) ?? {});
  // Surroundings come first and go first: a process can only start where its stores are.
  const inOrder = [...faults].sort((one, other) => rank(one.fault) - rank(other.fault));
  const heals: (() => Promise<void>)[] = [];
  for (const { fault, draw } of inOrder) heals.push(await fault.inject(deployment, draw));
  await sleep(Math.max(...faults.map(({ draw }) => draw.holdMs)));
  let trouble: unknown = null;
  for (const heal of heals) {
    await heal().catch((error: unknown) => {
      trouble = error;
    });
  }
  const healedMs = ledger.nowMs();
  const recoveredInMs = trouble ? null : await recover(checkOf(deployment, scene), RECOVERY_SECONDS);
  if (recoveredInMs === null) {
    const what = faults.map(({ fault }) => fault.name).join(' and ');
    ledger.trouble(
      trouble
        ? `after ${what}: ${String(trouble).slice(0, 500)}`
        : `no recovery within ${RECOVERY_SECONDS} s of ${what}`,
    );
  }
  ledger.disturbed({
    name: faults.map(({ fault }) => fault.name).join(' and '),
    startedMs,
    healedMs,
    recoveredMs: ledger.nowMs(),
    ...merged(marks),
    hindersStop: faults.some(({ fault }) => fault.of === 'surroundings'),
  });
  return recoveredInMs;
}

const rank = ({ of }: Fault): number => (of === 'surroundings' ? 0 : 1);

const merged = (marks: readonly Partial<Marks>[]): Marks => ({
  downs: marks.flatMap(({ downs = [] }) => downs),
  freezes: marks.flatMap(({ freezes = [] }) => freezes),
  losesMemory: marks.some(({ losesMemory }) => losesMemory),
  movesClock: marks.some(({ movesClock }) => movesClock),
});

/** Ready, and a token that is stored can be issued. */
function checkOf(deployment: Deployment, { flows, parties }: Scene): (node: NodeName) => Promise<boolean> {
  return async (node) => {
    const { fetch } = deployment.fetches[node];
    const signal = AbortSignal.timeout(3_000);
    const ready = await fetch(`${deployment.world.issuer}/ready`, { signal });
    if (ready.status !== 200) return false;
    const token = await flows.clientCredentials((url, init) => fetch(url, { ...init, signal }), parties.opaque);
    return token.status === 200;
  };
}

function startLoad(scene: Scene, deployment: Deployment, ledger: Ledger, seed: number) {
  const { parties } = scene;
  let stopping = false;
  let people = 0;
  const person = () => {
    people += 1;
    return personOf(scene, people - 1);
  };
  const traffics: Record<string, Traffic> = {
    'codes of basic': createGrantTraffic(scene, parties.basic, person()),
    'codes of opaque': createGrantTraffic(scene, parties.opaque, person()),
    'refreshes of basic': createRefreshTraffic(scene, parties.basic, person()),
    'refreshes of opaque': createRefreshTraffic(scene, parties.opaque, person()),
    machines: createMachineTraffic(scene),
    'API keys': createApiKeyTraffic(scene, person()),
    vault: createVaultTraffic(scene, person()),
    logins: createLoginTraffic(scene, person()),
    verify: createVerifyTraffic(scene),
  };
  const clients = Object.entries(traffics).map(([name, traffic], index): { asker: Asker; traffic: Traffic } => ({
    traffic,
    asker: createAsker({
      ledger,
      random: createRandom(`${seed} ${deployment.place.database} ${name}`),
      nodes: deployment.fetches,
      address: `10.0.${index}.1`,
    }),
  }));
  const running = clients.map(async ({ asker, traffic }) => {
    while (!stopping) await traffic.step(asker);
  });
  const ended = Promise.all(running);
  ended.catch(() => {});
  return {
    async stop() {
      stopping = true;
      await ended;
    },
    async questions() {
      for (const { asker, traffic } of clients) await traffic.questions?.(asker);
    },
  };
}

function errorsIn(logs: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of logs.split('\n')) {
    if (!line.includes('"level":"error"')) continue;
    const { msg, err } = parse(line);
    const text = [msg, err?.message?.slice(0, 120)].filter(Boolean).join(': ');
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

function parse(line: string): { msg?: string; err?: { message?: string } } {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line.slice(0, 120) };
  }
}
