import type { Config } from '../../config/config.ts';
import { readDatabaseAddress } from '../../config/database-address.ts';
import type { Clock } from '../../kit/clock.ts';
import { openDatabase } from '../../storage/sql/database.ts';
import { knexConfig, pooling } from '../../storage/sql/knex-config.ts';
import { count } from '../text.ts';
import { type Finding, ok, reasonOf, warn } from './finding.ts';

const DAY_MS = 86_400_000;
/** Clocks of a deployment may be apart a little; `doctor` need not be exact about it. */
const SLACK_MS = 60_000;

/** A column that says when something was, or how long it lasts at most. `unit`: how many of it are a millisecond. */
interface Instant {
  table: string;
  column: string;
  unit?: number;
  longestMs?: number;
  /** What the server does about it by itself, or what there is to do. */
  advice: string;
}

const BELIEVED_NO_MORE = 'It is not believed, and goes by itself: nothing to do.';
const FROM_NOW_ON = 'It counts from now on: nothing to do.';
const SHOWN = 'It shows a time that has not come; nothing depends on it.';

const INSTANTS: readonly Instant[] = [
  { table: 'leases', column: 'ends_at', longestMs: DAY_MS, advice: BELIEVED_NO_MORE },
  { table: 'rate_limits', column: 'arrives_at', unit: 1000, longestMs: DAY_MS, advice: BELIEVED_NO_MORE },
  { table: 'throttle_counters', column: 'last_at', advice: BELIEVED_NO_MORE },
  { table: 'idempotent_requests', column: 'created_at', advice: 'It ends a day from now: nothing to do.' },
  { table: 'signing_keys', column: 'state_since', advice: `${FROM_NOW_ON} Or run: gatehouse keys rotate --now` },
  {
    table: 'accounts',
    column: 'signed_out_at',
    advice: 'What was signed in before that time stays ended; a new sign-in works. Nothing to do.',
  },
  {
    table: 'token_records',
    column: 'created_at',
    unit: 1 / 1000,
    advice:
      'Sessions and tokens made by a clock that was ahead live that much longer. A new password ends those of an account: ' +
      'gatehouse user set-password <email>',
  },
  { table: 'token_records', column: 'receipt_at', advice: BELIEVED_NO_MORE },
  { table: 'api_keys', column: 'rotated_at', advice: 'Its old secret works no longer than a week: nothing to do.' },
  { table: 'api_keys', column: 'created_at', advice: SHOWN },
  { table: 'api_keys', column: 'last_used_at', advice: 'Its next use puts it right: nothing to do.' },
  { table: 'provider_keys', column: 'last_used_at', advice: 'Its next use puts it right: nothing to do.' },
  { table: 'audit_events', column: 'at', advice: SHOWN },
  { table: 'api_key_usage', column: 'hour', advice: SHOWN },
];

/** Rows that a clock which was ahead has written. */
export async function examineInstants(config: Config, clock: Clock): Promise<Finding[]> {
  const { databaseUrl } = config;
  const address = readDatabaseAddress(databaseUrl);
  const database = openDatabase({
    dialect: address.dialect,
    config: knexConfig({ databaseUrl, poolSize: 1 }),
    ...pooling(address),
  });
  const findings: Finding[] = [];
  try {
    for (const { table, column, unit = 1, longestMs = 0, advice } of INSTANTS) {
      const latestMs = clock.nowMs() + longestMs + SLACK_MS;
      const sql = `select count(*) as found, max(${column}) as latest from ${table} where ${column} > ?`;
      const [row] = await database.rows<{ found: number; latest: number | null }>(sql, [Math.ceil(latestMs * unit)]);
      const found = Number(row?.found ?? 0);
      if (found === 0) continue;
      const ahead = aheadOf(Number(row?.latest ?? 0) / unit - clock.nowMs());
      findings.push(warn('clock', `${table}.${column}: ${count(found, 'row')} up to ${ahead} in the future`, advice));
    }
  } catch (error) {
    findings.push(
      warn('clock', `not every table could be looked at: ${reasonOf(error)}`, 'Run it again when there is less load.'),
    );
  } finally {
    await database.close();
  }
  return findings.length > 0 ? findings : [ok('clock', 'nothing stored lies in the future')];
}

function aheadOf(milliseconds: number): string {
  if (milliseconds >= 2 * DAY_MS) return `${Math.round(milliseconds / DAY_MS)} days`;
  const minutes = Math.round(milliseconds / 60_000);
  return minutes >= 120 ? `${Math.round(minutes / 60)} hours` : `${minutes} minutes`;
}
