import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createRenderer, initial, plainText, webUrl } from '../../../src/http/render.ts';

const viewsDirectory = join(import.meta.dirname, '../../../views');
const { asset, render } = createRenderer({ viewsDirectory, basePath: '' });

const assetPaths = (html: string): string[] =>
  [...html.matchAll(/(?:src|href)="([^"]*\/assets\/[^"]*)"/g)].map((m) => m[1] ?? '');

describe('the renderer', () => {
  it('serves every asset a page links to, unchanged, under a path made from its content', () => {
    const paths = assetPaths(render('interactions/signed-out', {}));
    expect(paths).to.have.length(3);
    for (const path of paths) {
      const [, name, version, extension] = /^\/assets\/([a-z]+)\.([\w-]{12})\.(css|svg)$/.exec(path) ?? [];
      const found = asset(path);
      expect(found?.body).to.deep.equal(readFileSync(`${viewsDirectory}/assets/${name}.${extension}`));
      expect(found?.etag).to.equal(`"${version}"`);
      expect(found?.type).to.equal(extension === 'css' ? 'text/css; charset=utf-8' : 'image/svg+xml');
    }
  });

  it('serves nothing but those assets', () => {
    const [path = ''] = assetPaths(render('interactions/signed-out', {}));
    for (const other of [
      '/assets/gatehouse.css',
      '/assets/../layout.eta',
      '/assets/..%2flayout.eta',
      `${path}/`,
      `${path}?x`,
      path.slice(1),
      '/assets/',
      '',
      'constructor',
      '__proto__',
    ]) {
      expect(asset(other), other).to.equal(null);
    }
  });

  it('puts the base path before every link of its own', () => {
    const mounted = createRenderer({ viewsDirectory, basePath: '/auth' });
    const html = mounted.render('home', { issuer: 'i', discoveryUrl: 'd', version: '1', demo: false });
    for (const path of assetPaths(html)) {
      expect(path).to.match(/^\/auth\/assets\//);
      expect(mounted.asset(path.slice('/auth'.length))).not.to.equal(null);
    }
    expect(html).to.include('href="/auth/jwks"');
  });

  it('refuses to render a page that lacks a field it needs', () => {
    expect(() => render('interactions/sign-out', { action: '/o', accountName: 'Ada' })).to.throw(/sign-out/);
    expect(() => render('interactions/sign-out', { action: '/o', accountName: 'Ada', xsrf: {} })).to.throw(/sign-out/);
  });
});

describe('text a stranger chose', () => {
  it('cannot reverse, hide, break or stack what is shown', () => {
    expect(plainText('moc.live\u202Egro.doog')).to.equal('moc.livegro.doog');
    expect(plainText('a\u200Bb\u2066c\uFEFFd\u3164e\u0000f')).to.equal('abcdef');
    expect(plainText('  Acme\n\n\tNotes\u2028Inc \u200B ')).to.equal('Acme Notes Inc');
    expect(plainText(`a${'\u0301'.repeat(50)}b`)).to.have.length(6);
  });

  it('keeps every script and emoji readable', () => {
    for (const text of ['می\u200Cخواهم', 'क्\u200Dष', 'ﬀ ß İ 漢字', '👩\u200D💻 ❤\uFE0F', 'Việt Nam'])
      expect(plainText(text)).to.equal(text);
  });

  it('draws a letter in its tile, never a symbol', () => {
    expect(initial('✅ verified')).to.equal('V');
    expect(initial('دفتر')).to.equal('د');
    expect(initial('𐐨')).to.equal('𐐀');
    expect(initial('✅')).to.equal('·');
    expect(initial('')).to.equal('·');
  });

  it('becomes a link only when it is a web address', () => {
    for (const url of ['https://a.example/x?y#z', 'http://localhost:1/', '/path', '?x'])
      expect(webUrl(url)).to.equal(url);
    for (const url of [
      'javascript:alert(1)',
      ' jAvaScript:alert(1)',
      'java\nscript:alert(1)',
      'data:text/html,x',
      'app:/x',
      'https://',
      undefined,
    ]) {
      expect(webUrl(url), String(url)).to.equal(null);
    }
  });
});
