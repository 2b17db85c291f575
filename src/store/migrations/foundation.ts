import type { Migration } from './words.ts'

/** The tables that sending and hearing stand on, in the order in which they came. */
export const foundation: readonly Migration[] = [
  {
    name: '001_first_tables',
    statements: ({ int, id, blob, strict, clustered }) => [
      `create table messages (
        id ${id} primary key, service text not null, key_id text not null, mode text not null,
        channel_id text not null, provider text not null, direction text not null, contact text, user_id text,
        type text not null, content text, options text, state text not null, final ${int} not null,
        attempts ${int} not null, run_at ${int} not null, lease_until ${int}, send_at ${int}, expires_at ${int},
        provider_message_id text, reference text, metadata text, warnings text, error text, resolution text,
        resend_of text, broadcast_id text, traceparent text, timeline text not null, created_at ${int} not null,
        accepted_at ${int}, sent_at ${int}, delivered_at ${int}, read_at ${int}, failed_at ${int}
      ) ${clustered}`,
      'create index messages_service on messages (service, mode, id)',
      'create index messages_contact on messages (channel_id, contact, id)',
      `create index messages_expiry on messages (expires_at) where state = 'queued'`,
      `create index messages_due on messages (run_at, id) where state = 'queued'`,
      `create index messages_lease on messages (lease_until) where state in ('claimed', 'sending')`,
      'create index messages_reference on messages (service, reference) where reference is not null',
      `create table idempotency (
        service text not null, mode text not null, method text not null, path text not null, key text not null,
        request_hash text not null, message_id text, status ${int}, headers text, body text,
        locked_until ${int} not null, created_at ${int} not null, primary key (service, mode, method, path, key)
      ) ${clustered}`,
      'create index idempotency_message on idempotency (message_id) where message_id is not null',
      `create table keys (
        id ${id} primary key, hash text not null unique, pepper_version ${int} not null, prefix text not null,
        last_four text not null, service text not null, name text, mode text not null, scopes text not null,
        channels text, templates text, recipient_prefixes text, cidrs text, default_channel text,
        expires_at ${int}, revoked_at ${int}, last_used_at ${int}, created_at ${int} not null, created_by text not null
      ) ${strict}`,
      `create table channels (
        id ${id} primary key, provider text not null, connection_id text not null, settings text not null,
        is_default ${int} not null, paused ${int} not null, managed_by text not null,
        created_at ${int} not null, updated_at ${int} not null
      ) ${strict}`,
      `create table media (
        id ${id} primary key, service text not null, mode text not null, channel_id text not null,
        mime_type text not null, size ${int} not null, sha256 text not null, filename text, provider_media_id text,
        created_at ${int} not null, expires_at ${int} not null
      ) ${strict}`,
      'create index media_expiry on media (expires_at)',
      `create table media_chunks (
        media_id text not null, seq ${int} not null, bytes ${blob} not null, primary key (media_id, seq)
      ) ${strict}`,
      `create table audit (
        id ${id} primary key, at ${int} not null, actor text not null, action text not null, target text not null, detail text
      ) ${strict}`
    ]
  },
  {
    name: '002_contacts',
    statements: ({ int, id, strict, clustered }) => [
      `create table contacts (
        id ${id} primary key, mode text not null, channel_id text not null, phone text not null, name text,
        name_folded text, attributes text not null, status text not null, created_at ${int} not null,
        updated_at ${int} not null
      ) ${strict}`,
      'create unique index contacts_phone on contacts (channel_id, mode, phone)',
      'create index contacts_list on contacts (channel_id, mode, id)',
      `create table contact_attributes (
        contact_id ${id} not null, name ${id} not null, value text not null, folded text not null,
        primary key (contact_id, name)
      ) ${clustered}`,
      `create table remote_media (
        id ${id} primary key, mode text not null, channel_id text not null, path text not null, mime_type text not null,
        filename text, created_at ${int} not null
      ) ${strict}`
    ]
  },
  {
    name: '003_channel_health',
    statements: () => [
      'create index messages_accepted on messages (channel_id, mode, accepted_at) where accepted_at is not null'
    ]
  },
  {
    name: '004_media_upkeep',
    statements: () => [
      'create index remote_media_age on remote_media (created_at)',
      'create index media_content on media (channel_id, sha256)',
      'create index messages_failed on messages (channel_id, mode, failed_at) where failed_at is not null'
    ]
  },
  {
    name: '005_queue',
    statements: ({ int, id, strict }) => [
      `alter table messages add column lane ${int} not null default 0`,
      `alter table messages add column queue ${id} not null default ''`,
      `update messages set queue = mode || '/0/' || service || '/' || channel_id || '/' where state in ('queued', 'claimed')`,
      `create index messages_queue on messages (queue, run_at, id) where state = 'queued'`,
      'drop index messages_due',
      'create index messages_broadcast on messages (broadcast_id, state) where broadcast_id is not null',
      'create index messages_results on messages (broadcast_id, id) where broadcast_id is not null',
      `create index messages_open on messages (mode, id) where state = 'unknown' and final = 0`,
      `create index messages_doubt on messages (run_at) where state = 'unknown' and final = 0`,
      'create unique index messages_recipient on messages (broadcast_id, contact) where broadcast_id is not null',
      `create table blocks (key ${id} primary key, until ${int}, detail text, at ${int} not null) ${strict}`,
      `create table paces (key ${id} primary key, log text not null, updated_at ${int} not null) ${strict}`,
      `create table breakers (key ${id} primary key, log text not null, probe_at ${int} not null) ${strict}`,
      `create table broadcasts (
        id ${id} primary key, service text not null, key_id text not null, mode text not null, channel_id text not null,
        name text not null, template text not null, status text not null, total ${int} not null,
        duplicates ${int} not null, skipped ${int} not null, rate_per_second ${int}, start_at ${int},
        created_at ${int} not null, started_at ${int}, finished_at ${int}
      ) ${strict}`,
      'create index broadcasts_service on broadcasts (service, mode, id)',
      `create index broadcasts_open on broadcasts (status) where status in ('draft', 'scheduled', 'running', 'paused', 'canceled')`
    ]
  },
  {
    name: '006_inbound',
    statements: ({ int, id, blob, strict, clustered }) => [
      'alter table messages add column origin text',
      'alter table messages add column person text',
      'alter table messages add column pricing text',
      `alter table remote_media add column expires_at ${int}`,
      `create table webhooks (
        id ${id} primary key, channel_id ${id} not null, mode text not null, size ${int} not null, headers text not null,
        sha256 text not null, state text not null, position ${int} not null, reason text, received_at ${int} not null
      ) ${strict}`,
      // Apart: a row is written again whenever it is read on, and a body can be megabytes.
      `create table webhook_bodies (id ${id} primary key, body ${blob} not null) ${strict}`,
      'create unique index webhooks_digest on webhooks (channel_id, mode, sha256)',
      'create index webhooks_lane on webhooks (channel_id, mode, id)',
      `create index webhooks_waiting on webhooks (channel_id, mode, id) where state = 'waiting'`,
      `create index webhooks_aside on webhooks (channel_id, mode, id) where state = 'set_aside'`,
      `create table webhook_lanes (
        channel_id ${id} not null, mode text not null, holder text, until ${int} not null, heard_at ${int},
        status_at ${int}, primary key (channel_id, mode)
      ) ${strict}`,
      `create table webhook_tokens (
        channel_id ${id} not null, mode text not null, generation ${int} not null, created_at ${int} not null,
        ends_at ${int}, primary key (channel_id, mode, generation)
      ) ${strict}`,
      `create table heard_events (
        channel_id ${id} not null, mode text not null, identity ${id} not null, at ${int} not null,
        primary key (channel_id, mode, identity)
      ) ${clustered}`,
      'create index heard_events_age on heard_events (at)',
      `create table message_ids (
        channel_id ${id} not null, mode text not null, provider_id ${id} not null, message_id ${id},
        attempt ${int} not null, parked ${int} not null, created_at ${int} not null,
        primary key (channel_id, mode, provider_id)
      ) ${clustered}`,
      'create index message_ids_message on message_ids (message_id) where message_id is not null',
      'create index message_ids_unnamed on message_ids (created_at) where message_id is null',
      `create table parked_events (
        channel_id ${id} not null, mode text not null, provider_id ${id} not null, identity ${id} not null,
        event text not null, at ${int} not null, due_at ${int}, primary key (channel_id, mode, provider_id, identity)
      ) ${clustered}`,
      'create index parked_events_identity on parked_events (channel_id, mode, identity)',
      'create index parked_events_age on parked_events (at)',
      'create index parked_events_due on parked_events (due_at) where due_at is not null'
    ]
  },
  {
    name: '007_webhook_registrations',
    statements: ({ id, int, strict }) => [
      `create table webhook_registrations (
        channel_id ${id} not null, mode text not null, hook_id text, registered ${int} not null,
        at_provider text not null, fields text, problem text, checked_at ${int} not null, registered_at ${int},
        silent_since ${int}, primary key (channel_id, mode)
      ) ${strict}`
    ]
  },
  {
    name: '008_identities',
    statements: ({ int, id, clustered }) => [
      `create table identities (
        channel_id ${id} not null, mode text not null, identity ${id} not null, person ${id} not null,
        created_at ${int} not null, primary key (channel_id, mode, identity)
      ) ${clustered}`,
      'create index identities_person on identities (channel_id, mode, person)',
      'create index identities_name on identities (mode, identity)',
      'create index messages_user on messages (channel_id, user_id, id) where user_id is not null'
    ]
  },
  {
    name: '009_usernames',
    statements: () => ['alter table identities add column username text']
  },
  {
    name: '010_media_facts',
    statements: () => ['alter table media add column facts text']
  },
  {
    name: '011_store_facts',
    statements: ({ id, strict }) => [`create table store_facts (name ${id} primary key, value text not null) ${strict}`]
  },
  {
    name: '012_webhook_tries',
    statements: ({ int }) => [`alter table webhooks add column tries ${int} not null default 0`]
  }
]
