import { type Dialect, readDatabaseAddress } from '../../config/database-address.ts';

export type { Dialect };

/** Throws ConfigError when the address cannot be read. */
export const dialectOf = (databaseUrl: string): Dialect => readDatabaseAddress(databaseUrl).dialect;
