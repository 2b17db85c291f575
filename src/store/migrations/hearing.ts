import type { Migration } from './words.ts'

// What is heard from the providers, and where they call.

export const hearing: readonly Migration[] = [
  {
    name: '052_registered_address',
    statements: () => ['alter table webhook_registrations add column url_digest text']
  },
  {
    name: '053_told_names',
    statements: ({ int }) => [
      `alter table identities add column told_at ${int} not null default 0`,
      'update identities set told_at = created_at'
    ]
  },
  {
    // Of bodies that were emptied with the person they told of: they must not be told again.
    name: '054_erased_bodies',
    statements: () => [
      `insert into heard_events (channel_id, mode, identity, at)
        select w.channel_id, w.mode, 'body/' || substr(w.sha256, 1, 64), max(w.received_at)
        from webhooks as w join webhook_bodies as b on b.id = w.id
        where length(b.body) = 2 and w.size <> 2
        group by w.channel_id, w.mode, substr(w.sha256, 1, 64)`
    ]
  },
  {
    name: '055_told_digests',
    statements: () => ['alter table remote_media add column sha256 text']
  },
  {
    // Channels that the channels file held once and does not hold now, with what is needed when they are back.
    name: '056_missing_channels',
    statements: ({ int, strict }) => [
      `create table missing_channels (
        id text primary key,
        source text not null,
        created_at ${int} not null,
        registrations text not null,
        missing_since ${int} not null
      ) ${strict}`
    ]
  }
]
