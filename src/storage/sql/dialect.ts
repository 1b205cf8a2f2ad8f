/** The three families of SQL we speak; `mariadb` stands for MySQL too. */
export type Dialect = 'sqlite' | 'postgres' | 'mariadb';

const SCHEMES: Readonly<Record<string, Dialect>> = {
  sqlite: 'sqlite',
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mariadb',
  mariadb: 'mariadb',
};

/** Throws RangeError, without repeating the URL: it may hold a password. */
export function dialectOf(databaseUrl: string): Dialect {
  const dialect = SCHEMES[databaseUrl.slice(0, databaseUrl.indexOf(':'))];
  if (!dialect) throw new RangeError('the database URL must start with sqlite:, postgres://, mysql:// or mariadb://');
  return dialect;
}

/** `sqlite:data/gatehouse.sqlite`, `sqlite:///var/lib/gatehouse.sqlite` or `sqlite::memory:` to what SQLite opens. */
export const sqliteFilename = (databaseUrl: string): string => databaseUrl.replace(/^sqlite:(\/\/)?/, '');
