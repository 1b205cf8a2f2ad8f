/**
 * Lines for standard output that may be lost but never in the way. A disk that is full, a reader that hangs or is gone: what waits
 * is bounded, what comes on top is dropped and counted, and neither an answer nor the end of the process waits for it.
 */
import { fstatSync, write, writeSync } from 'node:fs';
import { monotonicMs } from './clock.ts';

export interface LineOutput {
  write(line: string): void;
  /** Calls back when everything is written, or cannot be written within `FLUSH_LIMIT_MS`. */
  flush(done: () => void): void;
  /** The last try of a process that ends: without waiting, or nearly so. */
  writeNow(): void;
  /** Lines that nobody will read. */
  dropped(): number;
  /** How long the write under way has taken, 0 for none. At the end of the process Node waits for it, however long it takes. */
  writingForMs(): number;
}

/** What takes the bytes. Errors come with a `code`. */
export interface Device {
  write(bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  writeSync(bytes: Buffer): number;
}

/**
 * How long a line may wait for others to be written with it, in milliseconds, and how many characters are written at once: half of
 * what a pipe holds. Each write wakes a thread, which takes the core away from the requests.
 */
const GATHER_MS = 100;
const GATHER_LENGTH = 32_768;
/** Bytes that may wait, about five thousand lines. */
const MOST_WAITING = 1_048_576;
/** A pipe that is full has room as soon as its reader reads; a disk that is full has none for a while. Milliseconds. */
const FULL_RETRY_MS = 10;
const FAILED_RETRY_MS = 250;
const FLUSH_LIMIT_MS = 1000;
const LAST_TRY_MS = 250;

/**
 * @param recovered makes the line that is written when there is room again
 */
export function createLineOutput(device: Device, recovered: (dropped: number) => string): LineOutput {
  // Lines are gathered here: measuring all that waits with each of them would cost more than writing.
  let lines: string[] = [];
  let length = 0;
  let queue: Buffer[] = [];
  let waiting = 0;
  let writingSince: number | null = null;
  let retry: NodeJS.Timeout | null = null;
  let dropped = 0;
  let told = 0;
  let flushing: (() => void)[] = [];

  function hand(): void {
    if (length === 0) return;
    const bytes = Buffer.from(lines.join(''));
    lines = [];
    length = 0;
    queue.push(bytes);
    waiting += bytes.length;
  }

  function took(written: number): void {
    waiting -= written;
    const [first, ...others] = queue;
    if (first) queue = written < first.length ? [first.subarray(written), ...others] : others;
  }

  function pump(): void {
    const first = queue[0];
    if (writingSince !== null || retry) return;
    if (!first) {
      allWritten();
      return;
    }
    writingSince = monotonicMs();
    device.write(first, (error, written) => {
      writingSince = null;
      if (!error) {
        took(written);
        pump();
        return;
      }
      const full = error.code === 'EAGAIN';
      if (!full) flushed();
      retry = setTimeout(
        () => {
          retry = null;
          pump();
        },
        full ? FULL_RETRY_MS : FAILED_RETRY_MS,
      );
      retry.unref();
    });
  }

  function allWritten(): void {
    if (dropped === told) {
      flushed();
      return;
    }
    const line = recovered(dropped - told);
    told = dropped;
    lines.push(line);
    length += line.length;
    hand();
    pump();
  }

  function flushed(): void {
    const callers = flushing;
    flushing = [];
    for (const done of callers) done();
  }

  setInterval(() => {
    hand();
    if (queue.length > 0) pump();
  }, GATHER_MS).unref();

  return {
    write(line) {
      if (waiting + length + line.length > MOST_WAITING) {
        dropped += 1;
        return;
      }
      lines.push(line);
      length += line.length;
      if (length < GATHER_LENGTH) return;
      hand();
      pump();
    },
    flush(done) {
      const timer = setTimeout(finish, FLUSH_LIMIT_MS);
      function finish(): void {
        clearTimeout(timer);
        flushing = flushing.filter((other) => other !== finish);
        done();
      }
      flushing.push(finish);
      hand();
      pump();
    },
    writeNow() {
      hand();
      const start = monotonicMs();
      while (queue[0] && monotonicMs() - start < LAST_TRY_MS) {
        try {
          took(device.writeSync(queue[0]));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_RETRY_MS);
        }
      }
    },
    dropped: () => dropped,
    writingForMs: () => (writingSince === null ? 0 : monotonicMs() - writingSince),
  };
}

interface PipeHandle {
  setBlocking(blocking: boolean): number;
}

/** Standard output. */
export function standardOutputDevice(): Device {
  // A pipe that is full must say so (EAGAIN) instead of keeping the thread that writes: Node cannot end while that waits. Node
  // puts the descriptor in that mode when it opens the stream, and back at its end. Files have no such mode.
  const kind = fstatSync(1);
  const isPipe = kind.isFIFO() || kind.isSocket();
  const handle = isPipe ? (process.stdout as { _handle?: PipeHandle })._handle : undefined;
  // The mode belongs to all processes that share the descriptor: a worker that starts or ends takes it away from the others.
  const neverWait = (): void => void handle?.setBlocking(false);
  return {
    write(bytes, done) {
      neverWait();
      write(1, bytes, done);
    },
    writeSync(bytes) {
      neverWait();
      return writeSync(1, bytes);
    },
  };
}
