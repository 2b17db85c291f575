import type { Store } from '../store.ts'
import type { Migration } from './words.ts'

// What lists of messages go down. Each way is in the order of the ids, so a page costs the same in a store of any size; those
// of what is rare are partial, so that a message pays only for what it comes to (docs/decisions/0101).

/** So much later than a message was made its id may be without being late, in milliseconds. */
export const lateMs = 60_000
/** The words of messages that were made well before their ids: what a provider told late, and what a clock was set back under. */
export const late = (dialect: Store['dialect']): string =>
  dialect === 'sqlite'
    ? `id > 'msg_' || printf('%012x', created_at + ${lateMs})`
    : `id > 'msg_' || lpad(to_hex(created_at + ${lateMs}), 12, '0')`
/** The words of messages that wait, as callers see it. */
export const waiting = `state in ('queued', 'claimed')`
/** States that few messages end in. */
export const rare = ['failed', 'unknown', 'expired', 'canceled'] as const
/** The words of messages in such a state, without a list: SQLite makes a table of one whenever it looks whether a row belongs there. */
export const rarely = `(${rare.map(state => `state = '${state}'`).join(' or ')})`

/** One a transaction: over millions of rows each takes its time, and a process that is killed goes on with the next. */
const index = (name: string, statements: Migration['statements']): Migration => ({ name, statements })

export const lists: readonly Migration[] = [
  index('044_messages_by_place', () => [
    'drop index messages_service',
    'create index messages_place on messages (service, mode, channel_id, id)'
  ]),
  index('045_messages_by_person', () => [
    'drop index messages_contact',
    'create index messages_person on messages (contact, id)',
    'drop index messages_user',
    'create index messages_user on messages (user_id, id) where user_id is not null'
  ]),
  index('046_messages_by_reference', () => [
    'drop index messages_reference',
    'create index messages_reference on messages (reference, id) where reference is not null'
  ]),
  index('047_messages_by_status', () => [
    `create index messages_waiting on messages (service, mode, id) where ${waiting}`,
    `create index messages_rarely on messages (service, mode, state, id) where ${rarely}`
  ]),
  index('048_messages_late', ({ dialect }) => [
    `create index messages_late on messages (created_at) where ${late(dialect)}`
  ])
]
