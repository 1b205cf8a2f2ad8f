/** Why Redis says no, in words for the operator. The words are ours: a reply may repeat the arguments of a command. */
const REASONS: readonly (readonly [what: RegExp, reason: string])[] = [
  [/^NOAUTH/, 'it asks for a password, and REDIS_URL has none'],
  [/^(WRONGPASS|ERR invalid password)|AUTH.*without any password/, 'it refuses the user or password of REDIS_URL'],
  [/^NOPERM/, 'its user may not run a command or use a key that Gatehouse needs (docs/operations.md has the rules)'],
  [/^READONLY/, 'it takes no writes: it is a replica'],
  [/^OOM/, 'it has reached maxmemory and takes no writes'],
  [/^MISCONF/, 'it cannot save to its disk and takes no writes'],
  [/^NOREPLICAS/, 'it takes no writes: too few of its replicas answer'],
  [/^LOADING/, 'it is still reading its data'],
  [/^MASTERDOWN/, 'it is a replica that has lost its primary'],
  [/^(CLUSTERDOWN|TRYAGAIN|MOVED|ASK|CROSSSLOT)/, 'its cluster is down or moving, or the address is one of a cluster'],
  [/^BUSY/, 'it is busy with a script'],
  [/^DENIED/, 'it is in protected mode: it wants a password, or to be bound to an address'],
  [/max number of clients/, 'it has no room for another connection (maxclients)'],
  [/DB index is out of range|^ERR invalid DB/, 'it has no database of the number that REDIS_URL names'],
  [/unknown command/i, 'it does not know a command that Gatehouse needs: Redis 6.2, Valkey 7.2 or later'],
  [/RESP type|Protocol error/i, 'what answers there is no Redis'],
  [/ECONNREFUSED/, 'nothing listens at its address'],
  [/ENOTFOUND|EAI_AGAIN/, 'the name of its host does not resolve'],
  [/ENOENT/, 'its socket is not there'],
  [/EACCES/, 'its socket is not for this user'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to its address'],
  [/ETIMEDOUT|timed out/i, 'it did not answer in time: nothing, another kind of server, or TLS on one side only'],
  [/ECONNRESET|EPIPE|Connection is closed/, 'it ended the connection'],
  [
    /SELF_SIGNED|UNABLE_TO_|self.signed|unable to (get|verify)/i,
    'its certificate is signed by nobody this machine knows',
  ],
];

/** Undefined: an error that no state of the server explains. */
export function redisReasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = String((error as { code?: unknown }).code ?? '');
  return REASONS.find(([what]) => what.test(code) || what.test(error.message))?.[1];
}
