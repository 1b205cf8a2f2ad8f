import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { Env } from '../config/env.ts';
import { ConfigError } from '../config/problems.ts';
import { type Finding, fail, ok, warn } from './doctor/finding.ts';
import { answering } from './result.ts';
import { createCliLog } from './services.ts';
import { count } from './text.ts';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('Look at the configuration and everything it names; changes nothing')
    .action(answering(examine));
}

async function examine() {
  const [{ readEnv }, { configure }] = await Promise.all([import('../config/env.ts'), import('../boot.ts')]);
  const env = readEnv();
  const findings: Finding[] = [];
  try {
    const { config } = await configure(env);
    findings.push(ok('configuration', config.production ? 'production' : 'for development'));
    const { configWarnings } = await import('../config/warnings.ts');
    const advice = 'See docs/configuration.md.';
    findings.push(...configWarnings(env, config).map((warning) => warn('configuration', warning, advice)));
    findings.push(...(await examineDeployment(env, config)));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Nothing else can be looked at: the configuration says where it is.
    const advice = 'See docs/configuration.md.';
    findings.push(...error.problems.map((problem) => fail('configuration', problem, advice)));
  }
  const failed = findings.filter(({ status }) => status === 'fail').length;
  const summary = failed === 0 ? 'Nothing is broken.' : `${count(failed, 'problem')} to solve.`;
  return { json: { ok: failed === 0, findings }, text: `${lines(findings)}\n\n${summary}`, ok: failed === 0 };
}

async function examineDeployment(env: Env, config: Config): Promise<Finding[]> {
  const [{ openStores }, { systemClock: clock }, database, keys, instants, tls, deployment, log] = await Promise.all([
    import('../boot.ts'),
    import('../kit/clock.ts'),
    import('./doctor/database.ts'),
    import('./doctor/keys.ts'),
    import('./doctor/instants.ts'),
    import('./doctor/tls.ts'),
    import('./doctor/deployment.ts'),
    createCliLog('silent'),
  ]);
  const findings = await database.examineDatabase(config, clock);
  if (findings.every(({ status }) => status !== 'fail')) {
    await using stores = await openStores({ ...config, redisUrl: null }, log);
    const tables = await database.examineTables(stores, config);
    findings.push(tables);
    if (tables.status === 'ok') {
      findings.push(...(await keys.examineKeys({ env, config, stores, clock })));
      findings.push(...(await instants.examineInstants(config, clock)));
      findings.push(...(await deployment.examineDemo({ env, config, stores, clock })));
    }
  }
  if (config.redisUrl !== null) {
    const { examineRedis } = await import('./doctor/redis.ts');
    findings.push(...(await examineRedis(config.redisUrl, { log, clock })));
  }
  return [...findings, ...tls.examineTls(config, clock), ...(await deployment.examineIssuer(config))];
}

const lines = (findings: readonly Finding[]): string => {
  const width = Math.max(...findings.map(({ about }) => about.length));
  return findings
    .map(({ status, about, detail, advice }) => {
      const indent = ' '.repeat(6 + width + 2);
      return `${status.padEnd(4)}  ${about.padEnd(width)}  ${detail}${advice ? `\n${indent}${advice}` : ''}`;
    })
    .join('\n');
};
