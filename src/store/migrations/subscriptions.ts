import type { Migration } from './words.ts'

/** Who is told of events, and what was sent to whom. */
export const subscriptions: readonly Migration[] = [
  {
    name: '025_subscriptions',
    statements: ({ int, id, strict }) => [
      `create table subscriptions (
        id ${id} primary key, service text not null, mode text not null, key_id ${id} not null, url text not null,
        events text not null, channels text, payload text not null, ordered ${int} not null, disabled_reason text,
        disabled_at ${int}, failing_since ${int}, failures ${int} not null, told ${int} not null, resume_at ${int} not null,
        position ${int} not null, created_at ${int} not null
      ) ${strict}`,
      'create index subscriptions_service on subscriptions (service, mode, id)',
      'create index subscriptions_key on subscriptions (key_id)',
      `create table subscription_secrets (
        id ${id} primary key, subscription_id ${id} not null, sealed text not null, created_at ${int} not null, ends_at ${int}
      ) ${strict}`,
      'create index subscription_secrets_of on subscription_secrets (subscription_id)',
      `create table deliveries (
        id ${id} primary key, subscription_id ${id} not null, position ${int} not null, event_id ${id} not null, type text not null,
        kind text not null, lane ${id}, state text not null, run_at ${int}, lease text, attempts ${int} not null, log text not null,
        created_at ${int} not null, ended_at ${int}
      ) ${strict}`,
      `create index deliveries_due on deliveries (subscription_id, kind, run_at, id) where state = 'pending' and run_at is not null`,
      `create index deliveries_lane on deliveries (subscription_id, lane, position) where state = 'pending' and lane is not null`,
      'create index deliveries_leased on deliveries (subscription_id, run_at) where lease is not null',
      `create index deliveries_waiting on deliveries (position) where state = 'pending'`,
      `create unique index deliveries_once on deliveries (subscription_id, position) where kind = 'event'`,
      `create index deliveries_replayed on deliveries (subscription_id, position) where kind = 'replay'`,
      'create index deliveries_list on deliveries (subscription_id, state, id)',
      'create index deliveries_ended on deliveries (ended_at) where ended_at is not null',
      `create table replays (
        id ${id} primary key, subscription_id ${id} not null, position ${int} not null, until ${int} not null,
        only_failed ${int} not null, created_at ${int} not null
      ) ${strict}`,
      'create index replays_of on replays (subscription_id)'
    ]
  },
  {
    name: '026_deliveries_of',
    statements: () => ['create index deliveries_of on deliveries (subscription_id, id)']
  }
]
