import type { DataKeys } from '../../domain/data-keys/load-data-keys.ts';
import { findUnusableRows } from '../../domain/row-macs/authenticate-rows.ts';
import { createRowMacs } from '../../domain/row-macs/row-macs.ts';
import { openRowWindow } from '../../domain/row-macs/row-window.ts';
import { createDigester } from '../../kit/digest.ts';
import type { Sealer } from '../../kit/seal.ts';
import type { Stores } from '../../storage/stores.ts';
import { count } from '../text.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Whether every row that authorizes is as Gatehouse wrote it. Changes nothing. */
export async function examineRows(stores: Stores, dataKeys: DataKeys, sealer: Sealer): Promise<Finding[]> {
  const window = await openRowWindow({ store: stores.dataKeys, sealer });
  const macs = createRowMacs({
    digester: createDigester(dataKeys.digest),
    isClosed: window.isClosed,
    onUnusable: () => {},
  });
  const wrong = await findUnusableRows(stores.rowMacs, macs);
  if (!window.isClosed()) {
    const rows = wrong.reduce((sum, each) => sum + each.count, 0);
    const detail = `rows without a MAC still count (${rows}): who can write the database can change what they allow`;
    const advice =
      'Once no process of an older version runs: gatehouse secrets authenticate-rows. It happens by itself 24 hours after the migration.';
    return [warn('rows', detail, advice)];
  }
  if (wrong.length === 0) return [ok('rows', 'all that authorize are as Gatehouse wrote them')];
  return wrong.map(({ table, count: rows, ids }) => {
    const more = rows > ids.length ? ' and more' : '';
    return fail(
      'rows',
      `${count(rows, 'row')} of ${table} were not written by Gatehouse or were changed, and are not used: ${ids.join(', ')}${more}`,
      'Find out who writes this database. A row that you changed yourself: gatehouse secrets authenticate-rows --trust <id>.',
    );
  });
}
