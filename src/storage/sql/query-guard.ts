/** What pg and mysql2 connections have in common. The callback is the last argument of `query`. */
export interface GuardedConnection {
  query(...args: [...unknown[], (error: Error | null) => void]): unknown;
  /** mysql2. */
  stream?: { destroy(error: Error): void };
  /** pg. */
  connection?: { stream: { destroy(error: Error): void } };
}

/** Ends a connection at once, without a word to the server: it may be one that does not listen. */
export function cut(connection: GuardedConnection, why: string): void {
  const stream = connection.stream ?? connection.connection?.stream;
  stream?.destroy(Object.assign(new Error(why), { code: 'ETIMEDOUT' }));
}

/**
 * Cuts the connection when a query has no answer after `limitMs`. The server's own statement timeout comes first; this
 * one is for a server that hangs or a network that swallows packets, where the query, BEGIN and ROLLBACK included, would
 * wait until TCP gives up and the pool would be empty until then.
 */
export function guardQueries(connection: GuardedConnection, limitMs: number): void {
  const query = connection.query.bind(connection);
  connection.query = (...args) => {
    const done = args.pop();
    if (typeof done !== 'function') throw new TypeError('a guarded query needs a callback');
    const timer = setTimeout(cut, limitMs, connection, 'the database did not answer in time');
    const finish = (...result: unknown[]): void => {
      clearTimeout(timer);
      (done as (...result: unknown[]) => void)(...result);
    };
    return query(...args, finish);
  };
}
