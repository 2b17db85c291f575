import type { Migration, Words } from './words.ts'

// The journal of events is written by triggers where messages are concerned: every statement that changes a state, one
// row or thousands, writes its events in its own commit, and none can forget to (docs/decisions/0072).

/** The columns that change with a message's state: with the rest of its row they tell it as it was then. */
const changing: readonly string[] = [
  ...['type', 'provider', 'state', 'final', 'attempts', 'expires_at', 'provider_message_id', 'warnings', 'error'],
  ...['resolution', 'accepted_at', 'sent_at', 'delivered_at', 'read_at', 'failed_at', 'pricing']
]
/**
 * That a state is told, without a list: SQLite makes a table of a list at every run of a trigger, whether it fires or not,
 * and that costs more than the event.
 */
const told = ['queued', 'claimed', 'sending'].map(state => `new.state <> '${state}'`).join(' and ')
const toldByList = `new.state in ('received', 'accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled')`

/** Inserts an event of the message in hand. */
const insertion = ({ dialect }: Words, type: string, columns: readonly string[]): string => {
  const values = `${type}, $at, new.mode, new.channel_id, new.service, new.id, $data`
  const pairs = columns.map(name => `'${name}', new.${name}`).join(', ')
  return dialect === 'sqlite'
    ? `insert into events (position, nonce, type, at, mode, channel_id, service, message_id, data) values (
         max(coalesce((select max(position) from events), 0) + 1, cast(unixepoch('subsec') * 1000 as integer) * 1000),
         lower(hex(randomblob(9))),
         ${values
           .replace('$at', `cast(unixepoch('subsec') * 1000 as integer)`)
           .replace('$data', `json_patch('{}', json_object(${pairs}))`)});`
    : `insert into events (nonce, type, at, mode, channel_id, service, message_id, data) values (
         left(replace(gen_random_uuid()::text, '-', ''), 18),
         ${values
           .replace('$at', '(extract(epoch from statement_timestamp()) * 1000)::bigint')
           .replace('$data', `json_strip_nulls(json_build_object(${pairs}))::text`)});`
}

interface Trigger {
  name: string
  /** After what of a row. */
  moment: string
  condition: string
  /** The event's type, in SQL. */
  type: string
}

/** Statements that have an event written after each row that `moment` names and `condition` holds for. */
function trigger(words: Words, { name, moment, condition, type }: Trigger, columns: readonly string[]): string[] {
  if (words.dialect === 'sqlite')
    return [
      `create trigger ${name} after ${moment} on messages when ${condition} begin ${insertion(words, type, columns)} end`
    ]
  return [
    `create function ${name}() returns trigger language plpgsql as $body$ begin ${insertion(words, type, columns)} return null; end $body$`,
    `create trigger ${name} after ${moment} on messages for each row when (${condition}) execute function ${name}()`
  ]
}

/** @param told that the new state of a row is told */
const made = (told: string): readonly Trigger[] => [
  {
    name: 'messages_made',
    moment: 'insert',
    condition: told,
    type: `case new.origin when 'operator' then 'message.operator' else 'message.' || new.state end`
  },
  {
    name: 'messages_moved',
    moment: 'update of state',
    condition: `${told} and new.state <> old.state`,
    type: `'message.' || new.state`
  }
]
const late: Trigger = {
  name: 'messages_undelivered',
  moment: 'update of undelivered_at',
  condition: 'new.undelivered_at is not null and old.undelivered_at is null',
  type: `'message.undelivered'`
}

/** Takes a trigger away, to be made anew with other columns. */
const again = (dialect: Words['dialect'], name: string): string[] =>
  dialect === 'sqlite' ? [`drop trigger ${name}`] : [`drop trigger ${name} on messages`, `drop function ${name}()`]

/** What may have to be told of a message at its deliverBy: the words of an index, and of src/events/deliver-by.ts. */
const overdue = `deliver_by is not null and undelivered_at is null and delivered_at is null and read_at is null and state <> 'canceled'`

export const events: readonly Migration[] = [
  {
    name: '020_events',
    statements: words => {
      const { int, id, strict, dialect } = words
      const place =
        dialect === 'sqlite'
          ? 'position integer primary key'
          : 'entry bigint generated always as identity primary key, position bigint unique'
      return [
        `create table events (
          ${place}, nonce text not null, type text not null, at ${int} not null, mode text not null, channel_id ${id},
          service text not null, contact text, message_id ${id}, data text not null
        ) ${strict}`,
        'create index events_message on events (message_id) where message_id is not null',
        'create index events_contact on events (contact) where contact is not null',
        ...(dialect === 'postgres' ? ['create index events_unnumbered on events (entry) where position is null'] : []),
        ...made(toldByList).flatMap(each => trigger(words, each, changing))
      ]
    }
  },
  {
    name: '021_deliver_by',
    statements: words => {
      const { int, id, strict, dialect } = words
      const columns = [...changing, 'undelivered_at']
      return [
        `alter table messages add column deliver_by ${int}`,
        `alter table messages add column undelivered_at ${int}`,
        `create index messages_deliver_by on messages (deliver_by) where ${overdue}`,
        ...made(toldByList).flatMap(each => again(dialect, each.name)),
        ...[...made(toldByList), late].flatMap(each => trigger(words, each, columns)),
        `create table connection_standings (
          provider text not null, id ${id} not null, status text not null, primary key (provider, id)
        ) ${strict}`
      ]
    }
  },
  {
    name: '022_lean_event_triggers',
    statements: words => {
      if (words.dialect === 'postgres') return []
      const columns = [...changing, 'undelivered_at']
      return [
        ...made(told).flatMap(each => again(words.dialect, each.name)),
        ...made(told).flatMap(each => trigger(words, each, columns))
      ]
    }
  }
]
