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
/** The SQL condition for those states, written with `or`: SQLite makes a table of a list each time it looks whether a row belongs there. */
export const rarely = `(${rare.map(state => `state = '${state}'`).join(' or ')})`

/**
 * An index is made, or dropped, in a transaction of its own. What makes an index keeps writers out, and what drops one readers too: whoever
 * does both meets a reader that is about to write, and PostgreSQL ends one of them.
 */
const index = (name: string, statements: Migration['statements']): Migration => ({ name, statements })

export const lists: readonly Migration[] = [
  index('045_messages_by_place', () => ['create index messages_place on messages (service, mode, channel_id, id)']),
  index('046_messages_not_by_service', () => ['drop index messages_service']),
  index('047_messages_by_rare_state', () => [
    `create index messages_rare on messages (service, mode, state, channel_id, id) where ${rarely}`
  ]),
  index('048_messages_astray', ({ dialect }) => [
    `create index messages_astray on messages (service, mode, channel_id, id, created_at) where ${astray(dialect)}`
  ]),
  // SQLite's entries end with the primary key by themselves.
  index('050_messages_by_reference', ({ dialect }) =>
    dialect === 'sqlite'
      ? []
      : ['create index messages_referred on messages (service, reference, id) where reference is not null']
  ),
  index('051_messages_not_by_reference_alone', ({ dialect }) =>
    dialect === 'sqlite' ? [] : ['drop index messages_reference']
  )
]
