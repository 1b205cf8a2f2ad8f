import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createLineOutput, type Device } from '../../../src/kit/line-output.ts';

/** Fails with `code` as long as there is one; takes at most `portion` bytes at a time. */
function createDevice(portion = Number.POSITIVE_INFINITY) {
  const state = { code: null as string | null, hangs: false, text: '' };
  const take = (bytes: Buffer): number => {
    const part = bytes.subarray(0, portion);
    state.text += part.toString();
    return part.length;
  };
  const failure = (): NodeJS.ErrnoException => Object.assign(new Error('no'), { code: state.code ?? '' });
  const device: Device = {
    write(bytes, done) {
      if (state.hangs) return;
      setImmediate(() => (state.code ? done(failure(), 0) : done(null, take(bytes))));
    },
    writeSync(bytes) {
      if (state.code) throw failure();
      return take(bytes);
    },
  };
  return { state, output: createLineOutput(device, (dropped) => `dropped ${dropped}\n`) };
}

const flushed = (output: ReturnType<typeof createDevice>['output']): Promise<void> =>
  new Promise((resolve) => output.flush(resolve));

describe('the output of lines', () => {
  for (const code of ['ENOSPC', 'EIO', 'EDQUOT', 'EAGAIN', 'EPIPE']) {
    it(`keeps what came first through ${code}, drops and counts what comes on top, and says so once when it is over`, async () => {
      const { state, output } = createDevice();
      state.code = code;
      const line = (number: number): string => `${String(number).padStart(999, '.')}\n`;
      for (let number = 0; number < 3000; number += 1) output.write(line(number));
      const started = performance.now();
      await flushed(output);
      expect(performance.now() - started).to.be.lessThan(1500);
      expect(output.dropped()).to.be.within(1500, 2999);
      const dropped = output.dropped();

      state.code = null;
      for (let tries = 0; tries < 20 && !state.text.includes('dropped'); tries += 1) await sleep(100);
      const kept = Array.from({ length: 3000 - dropped }, (_, number) => line(number)).join('');
      expect(state.text).to.equal(`${kept}dropped ${dropped}\n`);
      output.write('and on\n');
      await flushed(output);
      expect(state.text.endsWith(`dropped ${dropped}\nand on\n`)).to.equal(true);
    });
  }

  it('a device that takes parts of lines gets every byte once, in order', async () => {
    const { state, output } = createDevice(7);
    for (let number = 0; number < 200; number += 1) output.write(`line ${number}\n`);
    await flushed(output);
    expect(state.text.length).to.equal(Array.from({ length: 200 }, (_, n) => `line ${n}\n`).join('').length);
  });

  it('a device that hangs keeps a flush no longer than its limit', async () => {
    const { state, output } = createDevice();
    state.hangs = true;
    output.write('x\n');
    const started = performance.now();
    await flushed(output);
    expect(performance.now() - started).to.be.within(500, 2000);
    expect(output.writingForMs()).to.be.greaterThan(500);
  });
});
