import { join } from 'node:path';
import { expect } from 'chai';
import type { Dialect } from '../../../../src/endpoints/api/dialect.ts';
import canonical from '../../../../src/endpoints/api/dialects/gatehouse.ts';
import { docsPage } from '../../../../src/endpoints/api/docs-page.ts';
import { loadDialect } from '../../../../src/endpoints/api/load-dialect.ts';
import { createOpenApiDocument } from '../../../../src/endpoints/api/openapi.ts';
import { createRenderer } from '../../../../src/http/render.ts';

const viewsDirectory = join(import.meta.dirname, '../../../../views');
const { render } = createRenderer({ viewsDirectory, basePath: '/auth' });

function pageOf(dialect: Dialect): string {
  const dialects: [Dialect, ...Dialect[]] = dialect === canonical ? [canonical] : [dialect, canonical];
  const document = createOpenApiDocument({ dialects, issuer: 'https://example.com/auth', version: '1.2.3' });
  return render('api/docs', { ...docsPage(document), openApiUrl: '/auth/v1/openapi.json', homeUrl: '/auth/' });
}

const matches = (html: string, pattern: RegExp): string[] => [...html.matchAll(pattern)].map((found) => found[1] ?? '');
const textOf = (html: string): string => html.replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ');

describe('the page of the API', () => {
  for (const name of ['gatehouse', 'openmemoryx', 'memory-api', 'tokenos', 'memoryrouter', 'api-auth']) {
    it(`of ${name} has one h1, no skipped heading, no id twice, and no link to nowhere`, async () => {
      const html = pageOf((await loadDialect({ dialect: name, configFile: null })).dialect);
      const levels = matches(html, /<h([1-6])[ >]/g).map(Number);
      expect(levels.filter((level) => level === 1)).to.have.length(1);
      expect(levels[0]).to.equal(1);
      for (const [index, level] of levels.entries()) expect(level - (levels[index - 1] ?? 0)).to.be.at.most(1);
      const ids = matches(html, / id="([^"]*)"/g);
      expect(new Set(ids).size).to.equal(ids.length);
      for (const target of matches(html, /href="#([^"]*)"/g)) expect(ids).to.include(target);
      for (const labelled of matches(html, /aria-labelledby="([^"]*)"/g)) expect(ids).to.include(labelled);
      expect(textOf(html)).not.to.match(/undefined|\[object|NaN/);
    });
  }

  it('has no script and no style of its own, and links only below the issuer', () => {
    const html = pageOf(canonical);
    expect(html).not.to.match(/<script|<style| style=| on[a-z]+=/i);
    for (const href of matches(html, /(?:href|src)="([^#"][^"]*)"/g)) expect(href).to.match(/^\/auth\//);
  });

  it('tells operations of the same summary apart in its lists', () => {
    const html = pageOf(canonical);
    const entries = matches(html, /<li><a href="#[^"]*">([^<]*)<\/a><\/li>/g);
    expect(entries).to.include('Who is this, and may they? (POST /v1/auth/verify)');
  });

  it('shows what an operator wrote as text, whatever it is', () => {
    const hostile = '<script>alert(1)</script>" onload="x';
    const html = pageOf({
      ...canonical,
      name: 'own',
      title: hostile,
      scopes: [{ name: hostile, description: hostile }],
      manageScope: hostile,
      error: () => ({ body: { error: hostile } }),
    });
    expect(html).not.to.include('<script');
    expect(html).not.to.match(/<[a-z][^>]*\sonload=/);
    expect(html).to.include('&lt;script&gt;');
  });
});
