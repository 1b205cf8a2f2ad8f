import { expect } from 'chai';
import { createFairQueue } from '../../../../src/domain/accounts/fair-queue.ts';

/** Jobs that end when they are told; `served` has the names in the order in which they began. */
function world(options: { concurrency: number; limit: number; share: number }) {
  const queue = createFairQueue({ ...options, refused: () => new Error('no room') });
  const served: string[] = [];
  const ends: (() => void)[] = [];
  const outcomes: Promise<string>[] = [];
  return {
    queue,
    served,
    add(group: string | null, name: string): Promise<string> {
      const outcome = queue
        .run(group, async () => {
          served.push(name);
          await new Promise<void>((resolve) => ends.push(resolve));
          return 'done';
        })
        .catch((error: Error) => error.message);
      outcomes.push(outcome);
      return outcome;
    },
    async drain(): Promise<string[]> {
      let settled = false;
      const all = Promise.all(outcomes).finally(() => {
        settled = true;
      });
      while (!settled) {
        ends.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return all;
    },
  };
}

describe('the queue for password hashes', () => {
  it('serves the groups that wait in turn, each in its own order', async () => {
    const { add, served, drain } = world({ concurrency: 1, limit: 100, share: 100 });
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) void add(name[0] as string, name);
    await drain();
    expect(served).to.deep.equal(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('lets one group hold no more than its share of the places, and refuses the others nothing for it', async () => {
    const { add, queue, drain } = world({ concurrency: 2, limit: 64, share: 8 });
    const many = Array.from({ length: 95 }, (_, i) => add('flood', `f${i}`));
    expect(queue.load()).to.deep.equal({ running: 2, waiting: 8 });
    const strangers = ['x', 'y', 'z'].map((name) => add(name, name));
    await drain();
    expect(await Promise.all(strangers)).to.deep.equal(['done', 'done', 'done']);
    const answers = await Promise.all(many);
    expect(answers.filter((answer) => answer === 'done')).to.have.length(10);
    expect(queue.load()).to.deep.equal({ running: 0, waiting: 0 });
  });

  it('lets a newcomer have the place of the group that holds most, when all are taken', async () => {
    const { add, served, drain, queue } = world({ concurrency: 1, limit: 4, share: 4 });
    const first = ['r', 'a1', 'a2', 'a3', 'a4'].map((name) => add(name[0] as string, name));
    const late = add('b', 'b1');
    expect(await first[4]).to.equal('no room');
    expect(queue.load()).to.deep.equal({ running: 1, waiting: 4 });
    await drain();
    expect(await late).to.equal('done');
    expect(served).to.deep.equal(['r', 'a1', 'b1', 'a2', 'a3']);
  });

  it('takes nobody a place that a newcomer would only have instead', async () => {
    const { add, drain } = world({ concurrency: 1, limit: 2, share: 2 });
    const answers = ['r', 'a', 'b', 'c'].map((name) => add(name, name));
    expect(await answers[3]).to.equal('no room');
    await drain();
    expect(await Promise.all(answers)).to.deep.equal(['done', 'done', 'done', 'no room']);
  });

  it('hands the place on when a job fails', async () => {
    const queue = createFairQueue({ concurrency: 1, limit: 5, share: 5, refused: () => new Error('no room') });
    const answers = await Promise.allSettled([
      queue.run('a', async () => {
        throw new Error('broken');
      }),
      queue.run('a', async () => 'fine'),
    ]);
    expect(answers.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled']);
    expect(queue.load()).to.deep.equal({ running: 0, waiting: 0 });
  });
});
