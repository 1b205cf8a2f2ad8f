import { expect } from 'chai';
import type { Context } from 'koa';
import { cookieLifetimes } from '../../../src/http/cookie-lifetimes.ts';

describe('the cookies of an answer', () => {
  async function sent(lines: string | string[] | undefined, fails = false): Promise<unknown> {
    const headers = new Map<string, unknown>(lines === undefined ? [] : [['set-cookie', lines]]);
    const res = {
      getHeader: (name: string) => headers.get(name.toLowerCase()),
      setHeader: (name: string, value: unknown) => headers.set(name.toLowerCase(), value),
    };
    const next = async (): Promise<void> => {
      if (fails) throw new Error('later');
    };
    await Promise.resolve(cookieLifetimes({ res, headerSent: false } as unknown as Context, next)).catch(() => {});
    return headers.get('set-cookie');
  }
  const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

  it('say how long they last, so that a browser whose clock differs keeps them', async () => {
    const [line] = (await sent([`a=1; path=/; expires=${at(3600)}; httponly`])) as string[];
    expect(line).to.match(/^a=1; path=\/; max-age=3(?:599|600|601); httponly$/);
  });

  it('are taken away at once, and left alone when they last as long as the browser', async () => {
    expect(await sent(['a=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2; path=/'])).to.deep.equal([
      'a=; path=/; max-age=0',
      'b=2; path=/',
    ]);
    expect(await sent(undefined)).to.equal(undefined);
  });

  it('say so also when the request fails, and when there is one only', async () => {
    expect(String(await sent(`a=1; expires=${at(60)}`, true))).to.match(/^a=1; max-age=(?:59|60|61)$/);
  });
});
