/** Rows by the million, made inside PostgreSQL. They look like real ones to every index and to nobody else. */
import type { Knex } from 'knex';
import { JWT_API } from './fixtures.ts';

/** 43 characters of base64url, different for every `seed`. */
const digest = (seed: string): string => `translate(encode(sha256((${seed})::text::bytea), 'base64'), '+/=', '-_')`;

export async function fillClients(db: Knex, count: number): Promise<void> {
  const nowMs = Date.now();
  await withoutIndexes(db, 'clients', () =>
    db.raw(
      `insert into clients (id, name, application_type, auth_method, grant_types, redirect_uris, post_logout_redirect_uris,
         scopes, resources, allowed_origins, require_pkce, jwks, secrets, created_at, updated_at)
       select 'bulk-' || i, 'Client ' || i, 'web', 'client_secret_basic', '["client_credentials"]', '[]', '[]',
         '["read","write"]', '["${JWT_API}"]', '[]', true, '[]',
         '[{"digest":"' || ${digest('i')} || '","createdAt":${nowMs},"expiresAt":null}]', ${nowMs}, ${nowMs}
       from generate_series(1, ${count}) as i`,
    ),
  );
}

/** Of ten rows four are refresh tokens, half of them used, two grants, two access tokens, one a used code, one a session. */
export async function fillTokens(
  db: Knex,
  { count, expiresInSeconds, keepIndexes = false }: { count: number; expiresInSeconds: number; keepIndexes?: boolean },
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const kinds = `(array['Grant', 'Grant', 'RefreshToken', 'RefreshToken', 'RefreshToken', 'RefreshToken', 'AccessToken',
    'AccessToken', 'AuthorizationCode', 'Session'])[1 + i % 10]`;
  const insert = () =>
    db.raw(
      `insert into token_records (kind, id, payload, grant_id, account_id, client_id, uid, created_at, expires_at, consumed_at)
       select ${kinds}, ${digest(`'${expiresInSeconds}:' || i`)},
         '{"accountId":"acc_' || i % 1000000 || '","clientId":"bulk-' || i % 1000000 || '","scope":"openid offline_access read",'
           || '"claims":{},"kind":"x","gty":"authorization_code","note":"' || repeat('x', 200) || '"}',
         case when i % 10 < 9 then ${digest(`'g' || i / 10`)} end, 'acc_' || i % 1000000, 'bulk-' || i % 1000000,
         case when i % 10 = 9 then ${digest(`'u' || i`)} end,
         ${now - 3600}, ${now + expiresInSeconds} + i % 86400 * ${expiresInSeconds > 0 ? 10 : 0},
         case when i % 10 in (2, 3, 8) then ${now}000 end
       from generate_series(1, ${count}) as i`,
    );
  if (keepIndexes) await insert();
  else await withoutIndexes(db, 'token_records', insert);
}

/** API keys of one account that is not there: nobody shows them. */
export async function fillApiKeys(db: Knex, count: number): Promise<void> {
  const nowMs = Date.now();
  await withoutIndexes(db, 'api_keys', () =>
    db.raw(
      `insert into api_keys (id, owner_id, name, environment, prefix, last_four, current_mac, current_pepper_id, scopes,
         allowed_addresses, namespace, created_by, created_at, updated_at, previous_uses, version)
       select 'key_' || substr(${digest(`'k' || i`)}, 1, 16), 'acc_' || i % 100000, 'Key ' || i, 'live', 'gh_live_', 'abcd',
         ${digest(`'m' || i`)}, 'bulk', '["read"]', '[]', 'ns_' || i, 'acc_' || i % 100000, ${nowMs}, ${nowMs}, 0, 1
       from generate_series(1, ${count}) as i`,
    ),
  );
}

interface Named {
  name: string;
  definition: string;
}

/** Building the indexes at the end takes a fraction of the time. */
async function withoutIndexes(db: Knex, table: string, work: () => Promise<unknown>): Promise<void> {
  const rows = async (sql: string): Promise<Named[]> => ((await db.raw(sql)) as { rows: Named[] }).rows;
  const constraints = await rows(
    `select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
     where conrelid = '${table}'::regclass and contype in ('p', 'u')`,
  );
  const indexes = await rows(
    `select indexname as name, indexdef as definition from pg_indexes where tablename = '${table}'
     and indexname not in (select conname from pg_constraint where conrelid = '${table}'::regclass)`,
  );
  for (const { name } of constraints) await db.raw(`alter table ${table} drop constraint ${name}`);
  for (const { name } of indexes) await db.raw(`drop index ${name}`);
  await work();
  await db.raw(`set maintenance_work_mem = '1GB'`);
  for (const { name, definition } of constraints) {
    await db.raw(`alter table ${table} add constraint ${name} ${definition}`);
  }
  for (const { definition } of indexes) await db.raw(definition);
}
