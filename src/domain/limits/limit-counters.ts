import type { Digester } from '../../kit/digest.ts';
import {
  KEY_LIMIT,
  type LimitCounter,
  type LimitQuota,
  type LimitRule,
  type LimitScope,
  type LimitSubject,
} from './limit-rule.ts';

/** Counters that are taken from together, and the digest of who owns them all. */
export interface CounterGroup {
  owner: string;
  counters: LimitCounter[];
}

/** Who shares a counter, in clear. `owner` is of one kind and value for all counters of the same caller. */
interface Sharer {
  owner: string;
  id: string;
}

export interface LimitCounters {
  applies(subject: LimitSubject): boolean;
  /**
   * The counters of one request, grouped by owner: the caller's own first, so that what those refuse is not taken from the
   * counters shared with others.
   */
  of(subject: LimitSubject): CounterGroup[];
  /** The one counter of an endpoint. */
  ofEndpoint(rule: LimitRule, subject: string): CounterGroup;
}

/**
 * Finds the counters of a request. An id says everything that makes a counter another one: the rule, its quota (a changed limit
 * starts afresh at once) and who shares it. Ids and owners leave here as keyed digests.
 */
export function createLimitCounters({
  rules,
  digester,
}: {
  rules: readonly LimitRule[];
  digester: Digester;
}): LimitCounters {
  const counter = (name: string, limit: LimitQuota, kind: string, sharer: string): LimitCounter => ({
    name,
    quota: limit.quota,
    windowSeconds: limit.windowSeconds,
    id: digester.digest(`limit:${kind}:${name}:${limit.quota}/${limit.windowSeconds}`, sharer),
  });
  const ownerOf = (owner: string): string => digester.digest('limit-owner', owner);

  return {
    applies: (subject) => subject.limit !== null || rules.some((rule) => isFor(rule, subject)),

    of(subject) {
      if (subject.limit === null && rules.length === 0) return [];
      const groups = new Map<string, LimitCounter[]>();
      const add = (name: string, limit: LimitQuota, kind: string, sharer: Sharer): void => {
        const group = groups.get(sharer.owner);
        const made = counter(name, limit, kind, sharer.id);
        if (group) group.push(made);
        else groups.set(sharer.owner, [made]);
      };
      const own = sharerOf('key', subject);
      if (subject.limit) add(KEY_LIMIT, subject.limit, 'own', own);
      for (const rule of rules) {
        if (isFor(rule, subject)) add(rule.name, rule, 'rule', sharerOf(rule.per, subject));
      }
      const found = [...groups].map(([owner, counters]) => ({ owner, counters }));
      if (found.length > 1) found.sort((a, b) => Number(b.owner === own.owner) - Number(a.owner === own.owner));
      return found.map((group) => ({ owner: ownerOf(group.owner), counters: group.counters }));
    },

    ofEndpoint: (rule, subject) => ({
      owner: ownerOf(subject),
      counters: [counter(rule.name, rule, 'endpoint', subject)],
    }),
  };
}

function isFor(rule: LimitRule, subject: LimitSubject): boolean {
  return (
    (rule.method === undefined || rule.method === subject.method) &&
    (rule.environment === undefined || rule.environment === subject.environment) &&
    (rule.clientId === undefined || rule.clientId === subject.clientId) &&
    (rule.per !== 'client' || subject.clientId !== null)
  );
}

/** What it is stands before the value, so that no subject is ever mistaken for an address. */
function sharerOf(per: LimitScope, { keyId, subject, clientId, addressGroup }: LimitSubject): Sharer {
  const address = `address ${addressGroup}`;
  if (per === 'address') return { owner: address, id: address };
  // A client acting by itself is its own subject: one owner, whichever way it is meant.
  if (per === 'client') return { owner: `subject ${clientId}`, id: `client ${clientId}` };
  const owner = subject === null ? address : `subject ${subject}`;
  return { owner, id: per === 'key' && keyId !== null ? `key ${keyId}` : owner };
}
