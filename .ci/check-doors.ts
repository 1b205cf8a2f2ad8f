/**
 * Checks what dependency-cruiser cannot see: ambient values (no import leads to them) and where files stand.
 * Usage: node .ci/check-doors.ts [source folder]
 */
import { globSync, readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import ts from 'typescript';

/** Ambient value → the only places that read it. */
const DOORS: Record<string, string[]> = {
  'process.env': ['config/env.ts'],
  'Date.now': ['kit/clock.ts'],
  'new Date()': ['kit/clock.ts'],
  // Whoever decides by it takes kit/clock's monotonicMs as an argument; the others only measure how long they worked.
  'performance.now': ['kit/clock.ts'],
  'Math.random': [],
  // The global Web Crypto is the same door as node:crypto.
  crypto: ['kit/', 'domain/signing-keys/'],
};
const TOP_LEVEL =
  /^(?:(?:kit|domain|config|storage|http|endpoints|jobs|cli|server)\/|(?:api|app|services|boot|define-config|main|cli)\.ts$|README\.md$)/;
const NAMES_THAT_SAY_NOTHING = /(?:^|\/)(?:utils?|helpers?|common)(?:\/|\.ts$)/;

const sourceFolder = process.argv[2] ?? 'src';
const problems: string[] = [];

for (const path of globSync(`${sourceFolder}/**/*`, { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`)
  .sort()) {
  const name = relative(sourceFolder, path).replaceAll(sep, '/');
  if (!TOP_LEVEL.test(name)) problems.push(`${path}: stands in no layer`);
  if (NAMES_THAT_SAY_NOTHING.test(name)) problems.push(`${path}: name it after what it holds`);
  if (!name.endsWith('.ts')) continue;

  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  for (const { node, door } of ambientValues(source)) {
    const allowed = DOORS[door] ?? [];
    if (allowed.some((place) => (place.endsWith('/') ? name.startsWith(place) : name === place))) continue;
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    const where = allowed.map((place) => `${sourceFolder}/${place}`).join(', ') || 'nowhere';
    problems.push(`${path}:${line}: ${door} is read only in: ${where}`);
  }
}

for (const problem of new Set(problems)) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

function* ambientValues(node: ts.Node): Generator<{ node: ts.Node; door: string }> {
  const door = doorOf(node);
  if (door !== undefined) yield { node, door };
  for (const child of node.getChildren()) yield* ambientValues(child);
}

function doorOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const object = node.expression.getText().replace(/^globalThis\./, '');
    const access = `${object}.${node.name.text}`;
    if (access in DOORS) return access;
    if (access === 'globalThis.crypto' || object === 'crypto') return importsCrypto(node) ? undefined : 'crypto';
  }
  if (ts.isElementAccessExpression(node) && /^(?:globalThis\.)?process$/.test(node.expression.getText())) {
    return 'process.env';
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()';
  if (ts.isCallExpression(node) && node.expression.getText() === 'Date') return 'new Date()';
  // `const { env } = process`, `const { now } = Date`
  if (ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name)) {
    const from = node.initializer?.getText();
    for (const element of node.name.elements) {
      const access = `${from}.${(element.propertyName ?? element.name).getText()}`;
      if (access in DOORS) return access;
    }
  }
  // `import { env } from 'node:process'`
  if (ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text === 'env') {
    if (/^(?:node:)?process$/.test(importedFrom(node))) return 'process.env';
  }
  return undefined;
}

function importedFrom(node: ts.ImportSpecifier): string {
  const specifier = node.parent.parent.parent.moduleSpecifier;
  return ts.isStringLiteral(specifier) ? specifier.text : '';
}

/** An imported `crypto` is dependency-cruiser's business. */
function importsCrypto(node: ts.Node): boolean {
  return /^import[^;]*\bcrypto\b[^;]*from/m.test(node.getSourceFile().text);
}
