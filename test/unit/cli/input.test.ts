import { expect } from 'chai';
import { everyPage, given, repeated, words } from '../../../src/cli/input.ts';
import { fields, table } from '../../../src/cli/text.ts';

describe('a list on the command line', () => {
  it('has every record of every page, once and in order', async () => {
    for (const size of [0, 1, 499, 500, 501, 1000, 1234]) {
      const stored = Array.from({ length: size }, (_, index) => String(index).padStart(5, '0'));
      const list = async ({ after = '', limit }: { after?: string; limit: number }) =>
        stored.filter((id) => id > after).slice(0, limit);
      expect(await everyPage(list, (id) => id), String(size)).to.deep.equal(stored);
    }
  });

  it('shows what was stored without letting it steer the terminal', () => {
    const evil = 'Ada\u001b]0;owned\u0007\r\n\u009b2J';
    expect(table(['name'], [[evil]], 'none')).not.to.match(/[\p{Cc}](?<!\n)/u);
    expect(table(['name'], [[evil]], 'none').split('\n')).to.have.length(2);
    expect(fields({ name: evil })).not.to.match(/\p{Cc}/u);
  });

  it('says so when there is nothing', () => {
    expect(table(['name'], [], 'There are none.')).to.equal('There are none.');
  });
});

describe('an option that may be given several times', () => {
  it('collects what was given, and an empty value is an empty list', () => {
    expect(['https://a', '', ' https://b '].reduce<string[]>((all, each) => repeated(each, all), [])).to.deep.equal([
      'https://a',
      'https://b',
    ]);
    expect(repeated('')).to.deep.equal([]);
    expect(words(' openid  read', ['x'])).to.deep.equal(['x', 'openid', 'read']);
  });

  it('changes nothing when it was not given', () => {
    expect(given({ name: undefined, scopes: [], pkce: false })).to.deep.equal({ scopes: [], pkce: false });
  });
});
