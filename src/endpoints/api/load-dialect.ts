import { existsSync, readdirSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../../config/problems.ts';
import type { LimitRule } from '../../domain/limits/limit-rule.ts';
import type { Provider } from '../../domain/provider-keys/vault.ts';
import type { Dialect } from './dialect.ts';
import { dialectProblems, limitProblems, providerProblems, settingProblems } from './dialect-problems.ts';

/** What `gatehouse.config.ts` exports by default: see docs/dialects.md. */
export interface GatehouseConfig {
  /** The name of a shipped dialect, or one of your own. Default: what GATEHOUSE_DIALECT says, else `gatehouse`. */
  dialect?: string | Dialect;
  /** Defaults of settings, on top of the dialect's; the environment has the last word. */
  settings?: Readonly<Record<string, string>>;
  /** The third parties whose keys users may store, in place of ours. */
  providers?: readonly Provider[];
  /** In place of the dialect's. */
  limits?: readonly LimitRule[];
}

/** What a server answers as. */
export interface Product {
  dialect: Dialect;
  /** Defaults of settings. */
  settings: Readonly<Record<string, string>>;
  providers?: readonly Provider[];
  limits?: readonly LimitRule[];
}

const USUAL_FILE = 'gatehouse.config.ts';
const SHIPPED = new URL('./dialects/', import.meta.url);
/** `gatehouse`, as a configuration file imports it, wherever that file is. */
const OURSELVES = new URL(`../../define-config${extname(import.meta.url)}`, import.meta.url).href;

/**
 * The dialect that is named, or that the configuration file defines. Throws ConfigError with every problem at once.
 *
 * @param options.dialect the name given in GATEHOUSE_DIALECT
 * @param options.configFile the file given in GATEHOUSE_CONFIG; null: `gatehouse.config.ts` of the working directory, if it is there
 */
export async function loadDialect({
  dialect: named,
  configFile,
}: {
  dialect: string | undefined;
  configFile: string | null;
}): Promise<Product> {
  const file = configFile ?? USUAL_FILE;
  const config = await readConfigFile(configFile);
  const chosen = config?.dialect ?? undefined;
  const chosenName = typeof chosen === 'object' ? chosen.name : chosen;
  if (named && chosenName !== undefined && chosenName !== named) {
    throw new ConfigError([`GATEHOUSE_DIALECT: is ${named}, but ${file} chooses ${chosenName}; set one of them`]);
  }
  const dialect = typeof chosen === 'object' ? chosen : await readShipped(named || (chosenName ?? 'gatehouse'));
  const problems = [
    ...dialectProblems(dialect).map((problem) => `dialect ${dialect.name}: ${problem}`),
    ...configProblems(config ?? {}, dialect).map((problem) => `${file}: ${problem}`),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    dialect,
    settings: { ...dialect.settings, ...config?.settings },
    ...(config?.providers ? { providers: config.providers } : {}),
    ...(config?.limits ? { limits: config.limits } : {}),
  };
}

function configProblems({ settings, providers, limits, ...others }: GatehouseConfig, dialect: Dialect): string[] {
  const { dialect: _, ...unknown } = others;
  return [
    ...Object.keys(unknown).map((name) => `${name}: is not known; there are dialect, settings, providers and limits`),
    ...settingProblems(settings ?? {}),
    ...providerProblems(providers ?? []),
    ...limitProblems(limits ?? [], dialect),
  ];
}

/** Each file of the folder is a dialect, so that adding one touches no other file. The name only picks from the list. */
async function readShipped(name: string): Promise<Dialect> {
  const files = readdirSync(SHIPPED).filter((file) => /^[a-z0-9-]+\.(ts|js)$/.test(file));
  const nameOf = (file: string): string => file.replace(/\.\w+$/, '');
  const file = files.find((candidate) => nameOf(candidate) === name);
  if (file === undefined) {
    const known = files.map(nameOf).sort().join(', ');
    throw new ConfigError([`GATEHOUSE_DIALECT: there is no dialect ${name}; there are ${known}`]);
  }
  const { default: dialect } = (await import(new URL(file, SHIPPED).href)) as { default: Dialect };
  return dialect;
}

async function readConfigFile(given: string | null): Promise<GatehouseConfig | null> {
  const path = resolve(given ?? USUAL_FILE);
  if (!existsSync(path)) {
    if (given === null) return null;
    throw new ConfigError([`GATEHOUSE_CONFIG: there is no file ${given}`]);
  }
  // The file may lie outside of any package that has us installed.
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'gatehouse' ? { url: OURSELVES, shortCircuit: true } : next(specifier, context),
  });
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (cause) {
    throw new ConfigError([`${given ?? USUAL_FILE}: cannot be read: ${(cause as Error).message}`]);
  } finally {
    hooks.deregister();
  }
  const { default: config } = loaded;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new ConfigError([
      `${given ?? USUAL_FILE}: must export a configuration by default: export default defineConfig({ … })`,
    ]);
  }
  return config;
}
