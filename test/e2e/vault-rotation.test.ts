import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { boot } from '../../src/boot.ts';
import { openValue, PROVIDER_KEY_PURPOSE, sealValue } from '../../src/domain/provider-keys/envelope.ts';
import type { ProviderKey } from '../../src/domain/provider-keys/provider-key.ts';
import { createLog } from '../../src/kit/log.ts';
import { createWrappingRing } from '../../src/kit/seal.ts';
import type { Services } from '../../src/services.ts';
import { accountOf } from '../conformance/account-store.ts';
import { parallel } from '../conformance/parallel.ts';
import { atExit } from '../support/at-exit.ts';
import { createWorld, describeOn, TWO_SETUPS, type World } from '../support/e2e-world.ts';

const CLI = fileURLToPath(new URL('../../bin/gatehouse.js', import.meta.url));
/** Several batches. */
const MANY = 2400;
const WRITERS = 8;

const ringOf = (secrets: string) => createWrappingRing(secrets.split(','), PROVIDER_KEY_PURPOSE);
const valueOfKey = (number: number): string => `sk-e2e-${number}-${'x'.repeat(40)}`;

describeOn(TWO_SETUPS, 'rotating the secrets of thousands of provider keys', (setup) => {
  const next = randomBytes(32).toString('base64');
  let world: World;
  let both: string;
  let services: Services & AsyncDisposable;
  const keys: ProviderKey[] = [];

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this);
    both = `${next},${world.secret}`;
    // The first process makes the data keys under the old secret; this one reads under both, as servers do meanwhile.
    await world.cliJson(['keys', 'list']);
    services = await boot({ ...world.env, GATEHOUSE_SECRETS: both }, { log: createLog({ level: 'silent' }) });
    const ring = ringOf(world.secret);
    for (let number = 0; number < MANY; number += 1) keys.push(keyOf(number, ring));
    await parallel(WRITERS, async (writer) => {
      for (let at = writer; at < MANY; at += WRITERS) await store(keys[at] as ProviderKey);
    });
  });
  async function store(key: ProviderKey): Promise<void> {
    await services.stores.accounts.insert(accountOf({ id: key.ownerId }));
    expect((await services.stores.providerKeys.insert(key)).kind).to.equal('inserted');
  }
  after(async () => {
    await services?.[Symbol.asyncDispose]();
    await world?.close();
  });

  function keyOf(number: number, ring: ReturnType<typeof ringOf>): ProviderKey {
    const id = `pvk_${String(number).padStart(6, '0')}`;
    const place = { id, ownerId: `acc_${number}`, provider: 'openai', version: 1 };
    const sealed = sealValue(valueOfKey(number), place, ring);
    const shown = { label: 'OpenAI', mask: '…', fingerprint: String(number), isDefault: true };
    return { ...place, ...sealed, ...shown, createdAt: 1, updatedAt: 1, lastUsedAt: null };
  }
  const left = (): Promise<number> => services.stores.providerKeys.countWrappedByOthers(ringOf(next).currentId);

  /** All of them, with what opens now. */
  async function readAll(secrets: string): Promise<void> {
    const ring = ringOf(secrets);
    const rows = await services.stores.providerKeys.listWrappedByOthers('', '', MANY + 1);
    expect(rows).to.have.length(MANY);
    for (const [number, row] of rows.entries()) {
      expect(openValue(row, ring)).to.equal(valueOfKey(number));
      expect(row.sealedValue).to.equal(keys[number]?.sealedValue);
    }
  }

  /** A resource server that never stops asking; counts what it was given and keeps the first thing that went wrong. */
  function startReading() {
    const by = { clientId: 'api', ip: null, requestId: null, credentialId: null };
    const seen = { reads: 0, failure: null as unknown };
    let stopping = false;
    const reading = (async () => {
      // 7 and the number of keys have no common divisor, so that it comes by all of them in no order.
      for (let number = 0; !stopping; number = (number + 7) % MANY) {
        const { value } = await services.vault.use({ ownerId: `acc_${number}`, provider: 'openai' }, by);
        if (value !== valueOfKey(number)) throw new Error(`another value for key ${number}`);
        seen.reads += 1;
        await sleep(2);
      }
    })().catch((failure) => {
      seen.failure = failure;
    });
    return {
      seen,
      async stop() {
        stopping = true;
        await reading;
      },
    };
  }

  function startRotation(): { child: ChildProcess; ended: Promise<number | null>; output: () => string } {
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...world.env, GATEHOUSE_SECRETS: both };
    const child = spawn(process.execPath, [CLI, 'secrets', 'rotate'], { cwd: world.folder, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    atExit(() => child.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    return { child, ended, output: () => output };
  }

  it('survives being killed again and again: every key reads at every moment', async function () {
    this.timeout(120_000);
    const reader = startReading();
    let before = await left();
    expect(before).to.equal(MANY);
    for (const atLeast of [1, 400, 137]) {
      const rotation = startRotation();
      while ((await left()) > before - atLeast && rotation.child.exitCode === null) await sleep(1);
      rotation.child.kill('SIGKILL');
      expect(await rotation.ended, rotation.output()).to.equal(null);
      const now = await left();
      expect(now).to.be.within(1, before - atLeast);
      before = now;
      await readAll(both);
    }

    const last = startRotation();
    expect(await last.ended, last.output()).to.equal(0);
    // A database may still finish the last statement of a process that is gone.
    expect(Number(/wrapped (\d+) provider keys anew/.exec(last.output())?.[1])).to.be.within(before - 1, before);
    expect(last.output()).to.include('drop what follows');
    await reader.stop();
    expect(reader.seen.failure).to.equal(null);
    expect(reader.seen.reads).to.be.greaterThan(20);
    expect(await left()).to.equal(0);
  });

  it('leaves nothing that needs the old secret: the new one alone starts and opens everything', async () => {
    await readAll(next);
    const node = await world.start({ env: { GATEHOUSE_SECRETS: next } });
    expect(await node.stop()).to.equal(0);
    const doctor = await world.cli(['doctor'], { env: { GATEHOUSE_SECRETS: next } });
    expect(doctor.stdout).to.match(new RegExp(`ok +provider keys +${MANY} keys can be opened`));
    expect((await world.startInVain({ GATEHOUSE_SECRETS: world.secret })).code).to.equal(1);
  });
});
