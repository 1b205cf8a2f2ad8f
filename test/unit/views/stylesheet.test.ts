import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

const assets = new URL('../../../views/assets/', import.meta.url);
const css = readFileSync(new URL('gatehouse.css', assets), 'utf8');

type Colors = Record<string, string>;

/** The custom properties with a hex colour in a piece of the sheet. */
const colors = (text = ''): Colors =>
  Object.fromEntries([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1], m[2]]));

const light = colors(/^:root \{[^}]*\}/m.exec(css)?.[0]);
const dark = { ...light, ...colors(/@media \(prefers-color-scheme: dark\) \{\s*:root \{[^}]*\}/.exec(css)?.[0]) };

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((start) => {
    const channel = Number.parseInt(hex.slice(start, start + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [hi = 0, lo = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}

const TEXT: [string, string[]][] = [
  ['ink', ['surface', 'sunken', 'arch', 'ground']],
  ['muted', ['surface', 'sunken', 'arch', 'ground']],
  ['accent', ['surface', 'sunken', 'accent-soft']],
  ['accent-hover', ['surface', 'sunken']],
  ['on-accent', ['accent', 'accent-hover']],
  ['danger', ['danger-soft']],
  ['warning', ['warning-soft']],
];
const EDGES: [string, string[]][] = [
  ['control', ['surface']],
  ['accent', ['surface', 'sunken', 'arch']],
  ['danger', ['surface']],
];

describe('the style sheet', () => {
  for (const [scheme, palette] of Object.entries({ light, dark })) {
    it(`keeps text at 4.5:1 and the edges of controls at 3:1 in the ${scheme} scheme`, () => {
      for (const [pairs, least] of [
        [TEXT, 4.5],
        [EDGES, 3],
      ] as const) {
        for (const [front, backs] of pairs) {
          for (const back of backs) {
            expect(contrast(palette[front] ?? '', palette[back] ?? ''), `${front} on ${back}`).to.be.at.least(least);
          }
        }
      }
    });
  }

  it('gives every colour of the light scheme a dark one', () => {
    for (const name of Object.keys(light)) expect(dark[name], name).not.to.equal(light[name]);
  });

  it('loads nothing from anywhere', () => {
    for (const name of readdirSync(assets)) {
      const text = readFileSync(new URL(name, assets), 'utf8').replace('http://www.w3.org/2000/svg', '');
      expect(text, name).not.to.match(/url\(|@import|@font-face|data:|https?:|<script|<style|\bon\w+=|\bhref=/i);
    }
  });

  it('leaves the focus ring in place and stays still for those who ask for less motion', () => {
    expect(css).not.to.match(/outline:\s*(none|0)/);
    expect(css.replace(/@media \(prefers-reduced-motion: no-preference\) \{[\s\S]*$/, '')).not.to.match(
      /transition|animation/,
    );
  });
});
