import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { curlSample } from '../../../../src/endpoints/api/curl-sample.ts';

/** What a shell makes of the command. */
const wordsOf = (command: string): string[] =>
  execFileSync('sh', ['-c', `curl() { printf '%s\\0' "$@"; }\n${command}`], { env: { API_KEY: 'k', CLIENT_ID: 'c' } })
    .toString()
    .split('\0')
    .slice(0, -1);

const base = { method: 'POST', url: 'https://auth.example/v1/x', query: [], credential: null } as const;

describe('a curl command of the documentation', () => {
  it('reaches curl as it is meant, whatever stands in it', () => {
    const body = { name: `it's "quoted" $HOME \`id\` \\ é`, list: ['a', 'b'] };
    const words = wordsOf(curlSample({ ...base, url: `https://auth.example/it's`, body }));
    expect(words[0]).to.equal(`https://auth.example/it's`);
    expect(JSON.parse(words.at(-1) ?? '')).to.deep.equal(body);
  });

  it('takes credentials from variables, as the place they stand in wants them', () => {
    const sent = (credential: Parameters<typeof curlSample>[0]['credential']) =>
      wordsOf(curlSample({ ...base, method: 'GET', body: undefined, credential })).slice(1);
    expect(sent({ kind: 'bearer', variable: 'API_KEY' })).to.deep.equal(['-H', 'Authorization: Bearer k']);
    expect(sent({ kind: 'header', name: 'x-api-key' })).to.deep.equal(['-H', 'X-API-Key: k']);
    expect(sent({ kind: 'basic' })).to.deep.equal(['-u', 'c:']);
  });

  it('names the method only where curl would choose another', () => {
    const method = (name: string, body?: object) =>
      wordsOf(curlSample({ ...base, method: name, body }))
        .slice(0, 2)
        .join(' ');
    expect(method('GET')).not.to.include('-X');
    expect(method('POST', {})).not.to.include('-X');
    expect(method('POST')).to.equal('-X POST');
    expect(method('PATCH', {})).to.equal('-X PATCH');
  });
});
