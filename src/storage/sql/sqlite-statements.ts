type Callback = (error: Error | null, rows?: unknown[]) => void;

interface Statement {
  all(values: unknown[], done: Callback): void;
  finalize(done?: () => void): void;
}

/** The part of a sqlite3 connection that knex uses for raw statements, and what keeps them prepared. */
export interface SqliteConnection {
  exec(sql: string, done: (error: (Error & { code?: string }) | null) => void): void;
  all(sql: string, values: unknown[], done: Callback): void;
  prepare(sql: string, done: (error: Error | null) => void): Statement;
  close(done: (error: Error | null) => void): void;
}

/** The store has fewer; a caller that builds statements without end does not get past this. */
const MOST = 200;
const KEPT = /^(select|insert|update|delete|begin|commit)\b/i;

/** Keeps statements prepared: sqlite3 prepares each anew, which takes longer than running it. */
export function keepStatements(connection: SqliteConnection): void {
  const statements = new Map<string, Statement>();
  const { all, close } = connection;

  /**
   * A statement that fails midway (SQLITE_BUSY, a broken constraint) stays active and holds the connection to the snapshot it
   * began with: every later read would be stale and every write refused. Finalizing ends it; the next use prepares anew.
   */
  function run(sql: string, statement: Statement, values: unknown[], done: Callback): void {
    statement.all(values, (error, rows) => {
      if (!error) return done(null, rows);
      if (statements.get(sql) === statement) statements.delete(sql);
      statement.finalize(() => done(error));
    });
  }

  connection.all = (sql, values, done) => {
    const kept = statements.get(sql);
    if (kept) return run(sql, kept, values, done);
    if (statements.size >= MOST || !KEPT.test(sql)) return all.call(connection, sql, values, done);
    const statement = connection.prepare(sql, (error) => {
      if (error) return done(error);
      // Somebody else may have been preparing the same.
      const first = statements.get(sql) ?? statement;
      if (first === statement) statements.set(sql, statement);
      else statement.finalize();
      run(sql, first, values, done);
    });
  };

  connection.close = (done) => {
    // An open statement would keep the database open.
    for (const statement of statements.values()) statement.finalize();
    statements.clear();
    close.call(connection, done);
  };
}
