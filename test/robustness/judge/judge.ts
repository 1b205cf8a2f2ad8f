/** Reads the ledger and says what does not hold. Pure: the same history, the same verdict. */
import type { History } from '../ledger.ts';
import { judgeCredentials } from './credentials.ts';
import { judgeProcesses } from './processes.ts';
import { judgeRegisters } from './registers.ts';
import { judgeStatuses } from './statuses.ts';
import { judgeUses } from './uses.ts';
import type { Violation } from './violation.ts';

const JUDGES = [judgeStatuses, judgeUses, judgeCredentials, judgeRegisters, judgeProcesses];

export const judge = (history: History): Violation[] => JUDGES.flatMap((judgeOne) => judgeOne(history));
