/** What a fault is to the schedule, which draws it, and to the run, which injects it. */
import type { Deployment } from '../deployment.ts';
import type { Disturbance, NodeName } from '../ledger.ts';
import type { Random } from '../random.ts';

export const DATABASES = ['sqlite', 'postgres', 'mariadb'] as const;
export type Database = (typeof DATABASES)[number];

/** Where the run takes place. */
export interface Place {
  database: Database;
  redis: boolean;
  /** Whether small disks can be mounted, which only root may. */
  disks: boolean;
  /** The library that shifts a process's clock. */
  clockLibrary: string | null;
}

/** What chance chooses. */
export interface Draw {
  node: NodeName;
  /** How long the fault lasts, in milliseconds. */
  holdMs: number;
  /** Milliseconds of a delay, seconds of a clock; 0 where there is none. */
  amount: number;
}

export type Marks = Pick<Disturbance, 'downs' | 'freezes' | 'losesMemory' | 'movesClock'>;

export interface Fault {
  name: string;
  /** Process faults may come on top of another one. */
  of: 'process' | 'surroundings';
  /** Whether the place has such a thing at all. */
  concerns(place: Place): boolean;
  /** Why it cannot be tried here; null when it can. */
  missing?(place: Place): string | null;
  draw(random: Random): Omit<Draw, 'node'>;
  marks?(draw: Draw): Partial<Marks>;
  /** Returns what ends it. */
  inject(deployment: Deployment, draw: Draw): Promise<() => Promise<void>>;
  /** How long it takes to end it, about, in milliseconds. */
  healsInMs: number;
}

export const between =
  (least: number, most: number, amounts: readonly number[] = [0]) =>
  (random: Random): Omit<Draw, 'node'> => ({
    // Short ones are as likely as long ones.
    holdMs: Math.round(least * (most / least) ** random.next()),
    amount: random.pick(amounts),
  });
