import type { Store } from '../store.ts'
import type { Migration } from './words.ts'

// What lists of messages go down, each in the order of the ids (docs/decisions/0101). Those that are new are partial: a message
// pays for one only where it comes to what few messages come to.

/** So far an id may be from the instant at which its message was made without being astray, in milliseconds. */
export const astrayMs = 60_000
/** The words of messages whose ids do not tell when they were made: a provider told of them late, or a clock was set. */
export const astray = (dialect: Store['dialect']): string => {
  const idAt = (ms: string) =>
    dialect === 'sqlite' ? `'msg_' || printf('%012x', ${ms})` : `'msg_' || lpad(to_hex(${ms}), 12, '0')`
  return `(id > ${idAt(`created_at + ${astrayMs}`)} or id < ${idAt(`created_at - ${astrayMs}`)})`
}

/** States that few messages end in. */
export const rare = ['failed', 'unknown', 'expired', 'canceled'] as const
/** The words of messages in such a state, without a list: SQLite makes a table of one whenever it looks whether a row belongs there. */
export const rarely = `(${rare.map(state => `state = '${state}'`).join(' or ')})`

/** One a transaction: over millions of rows each takes its time, and a process that is killed goes on with the next. */
const index = (name: string, statements: Migration['statements']): Migration => ({ name, statements })

export const lists: readonly Migration[] = [
  index('045_messages_by_place', () => [
    'create index messages_place on messages (service, mode, channel_id, id)',
    'drop index messages_service'
  ]),
  index('046_messages_by_rare_state', () => [
    `create index messages_rare on messages (service, mode, state, channel_id, id) where ${rarely}`
  ]),
  index('047_messages_astray', ({ dialect }) => [
    `create index messages_astray on messages (service, mode, channel_id, id, created_at) where ${astray(dialect)}`
  ]),
  // SQLite's entries end with the primary key by themselves.
  index('048_messages_by_reference', ({ dialect }) =>
    dialect === 'sqlite'
      ? []
      : [
          'drop index messages_reference',
          'create index messages_reference on messages (service, reference, id) where reference is not null'
        ]
  )
]
