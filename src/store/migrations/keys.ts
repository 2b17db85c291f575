import type { Migration } from './words.ts'

/** Keys: their secrets, of which several can count at a time. */
export const keys: readonly Migration[] = [
  {
    // `keys` goes on holding the newest secret's digest, so that the release before knows every key by it.
    name: '035_key_secrets',
    statements: ({ int, id, clustered }) => [
      `create table key_secrets (
        id ${id} primary key, key_id ${id} not null, hash text not null unique, pepper_version ${int} not null,
        prefix text not null, last_four text not null, created_at ${int} not null, expires_at ${int},
        last_used_at ${int}, last_used_from text, sealed text, sealed_until ${int}
      ) ${clustered}`,
      'create index key_secrets_key on key_secrets (key_id, id)',
      'create index key_secrets_sealed on key_secrets (sealed_until) where sealed is not null',
      `insert into key_secrets (id, key_id, hash, pepper_version, prefix, last_four, created_at, last_used_at)
        select 'sec_' || substr(id, 5), id, hash, pepper_version, prefix, last_four, created_at, last_used_at from keys`
    ]
  },
  {
    name: '036_key_limits',
    statements: ({ int, id, clustered }) => [
      'alter table keys add column rate_limit text',
      'alter table keys add column quota text',
      `create table key_limits (
        key_id ${id} primary key, level ${int}, at ${int} not null, date text not null, used ${int} not null
      ) ${clustered}`
    ]
  }
]
