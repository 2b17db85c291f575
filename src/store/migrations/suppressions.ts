import type { Migration } from './words.ts'

/** Who must not be messaged, and when a broadcast may go out. */
export const suppressions: readonly Migration[] = [
  {
    name: '030_suppressions',
    statements: ({ int, id, strict }) => [
      `create table suppressions (
        id ${id} primary key, mode text not null, name ${id} not null, channel_id ${id} not null, category text not null,
        identity text, reason text, source text not null, created_by text, said_at ${int} not null,
        created_at ${int} not null
      ) ${strict}`,
      'create unique index suppressions_name on suppressions (mode, name, channel_id, category)',
      'create index suppressions_list on suppressions (mode, id)',
      `alter table broadcasts add column suppressed ${int} not null default 0`,
      'alter table broadcasts add column sending_window text'
    ]
  }
]
