import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Eta } from 'eta';
import { createDigester } from '../kit/digest.ts';

export interface Asset {
  body: Buffer;
  /** The value of Content-Type. */
  type: string;
  /** Quoted, as the ETag header wants it. */
  etag: string;
}

export interface Renderer {
  /**
   * The page as HTML. `view` is a path under views/ without `.eta`, a constant of the caller. Throws when the page needs
   * a field that `data` lacks: a consent page without the app's name must not be sent.
   */
  render(view: string, data: object): string;
  /**
   * The asset at this path below the base path (`/assets/gatehouse.<version>.css`), or null. The version is made from
   * the content, so what stands at a path never changes and may be cached forever.
   */
  asset(path: string): Asset | null;
}

const ASSET_TYPES: Record<string, string> = { '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

/** Versions are public and guard nothing; the digester wants a key all the same. */
const versions = createDigester(Buffer.alloc(32));

/** Renders `views/**` and serves `views/assets`. `basePath` is the prefix of every link: '' or, for instance, '/auth'. */
export function createRenderer({ viewsDirectory, basePath }: { viewsDirectory: string; basePath: string }): Renderer {
  // Templates are compiled at first use and kept.
  const eta = new Eta({ views: viewsDirectory, cache: true, autoEscape: true, escapeFunction: escapeHtml });
  const { assets, paths } = readAssets(join(viewsDirectory, 'assets'));

  const asset = (name: string): string => {
    const path = paths.get(name);
    if (path === undefined) throw new Error(`views/assets has no ${name}`);
    return basePath + path;
  };

  return {
    render: (view, data) => {
      try {
        return eta.render(view, { ...data, basePath, asset, plain: plainText, initial, webUrl });
      } catch (error) {
        throw new Error(`the page ${view} could not be rendered`, { cause: error });
      }
    },
    asset: (path) => assets.get(path) ?? null,
  };
}

/** Reads each file once. What is served is a lookup in a map, so no request path reaches the file system. */
function readAssets(directory: string): { assets: Map<string, Asset>; paths: Map<string, string> } {
  const assets = new Map<string, Asset>();
  const paths = new Map<string, string>();
  for (const name of readdirSync(directory)) {
    const extension = extname(name);
    const type = ASSET_TYPES[extension];
    if (type === undefined) throw new Error(`views/assets/${name} is of a type that is not served`);
    const body = readFileSync(join(directory, name));
    const version = versions.digest('asset', body.toString('utf8')).slice(0, 12);
    const path = `/assets/${name.slice(0, -extension.length)}.${version}${extension}`;
    assets.set(path, { body, type, etag: `"${version}"` });
    paths.set(name, path);
  }
  return { assets, paths };
}

const HTML_ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw new TypeError(`a page field is ${typeof value}`);
  return String(value).replace(/[&<>"']/g, (character) => HTML_ESCAPES[character] ?? '');
}

/**
 * Characters nobody sees that change what everybody reads: controls, bidirectional overrides, zero-width and filler
 * characters. The joiners and selectors that Persian, Indic scripts and emoji are written with stay.
 */
const INVISIBLE =
  /(?![\t-\r]|\u200c|\u200d|\ufe0e|\ufe0f|[\u{e0020}-\u{e007f}])[\p{Default_Ignorable_Code_Point}\p{Cc}]/gu;

/** Marks stacked higher than any script stacks them, which would paint over the lines around. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu;

/**
 * Text a stranger chose (an app's name, a host), fit to be shown: on one line, without INVISIBLE or STACKED_MARKS.
 * Only for showing, never for values that must come back unchanged.
 */
export function plainText(text: string): string {
  return text.replace(INVISIBLE, '').replace(STACKED_MARKS, '$1').replace(/\s+/g, ' ').trim();
}

/** The first letter or digit, for the tile beside an app's name. Never a symbol: a name must not draw its own check mark. */
export function initial(text: string): string {
  return /[\p{L}\p{N}]/u.exec(plainText(text))?.[0].toLocaleUpperCase('en') ?? '·';
}

/** `url` when a browser can follow it as a page, else null: no `javascript:`, `data:` or app scheme becomes a link. */
export function webUrl(url: string | undefined): string | null {
  if (url === undefined || !URL.canParse(url, 'https://relative.invalid')) return null;
  return ['https:', 'http:'].includes(new URL(url, 'https://relative.invalid').protocol) ? url : null;
}
