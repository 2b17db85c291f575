import type { Migration, Words } from './words.ts'

// The journal of events is written by triggers where messages are concerned: every statement that changes a state, one
// row or thousands, writes its events in its own commit, and none can forget to (docs/decisions/0072).

/** The columns that change with a message's state: with the rest of its row they tell it as it was then. */
const changing = [
  ...['type', 'provider', 'state', 'final', 'attempts', 'expires_at', 'provider_message_id', 'warnings', 'error'],
  ...['resolution', 'accepted_at', 'sent_at', 'delivered_at', 'read_at', 'failed_at', 'pricing']
]
const told = `('received', 'accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled')`

/** Inserts an event of the message in hand. */
const insertion = ({ dialect }: Words, type: string): string => {
  const values = `${type}, $at, new.mode, new.channel_id, new.service, new.id, $data`
  const pairs = changing.map(name => `'${name}', new.${name}`).join(', ')
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

/** Statements that have an event written after each row that `moment` names and `condition` holds for. */
function trigger(words: Words, name: string, moment: string, condition: string, type: string): string[] {
  if (words.dialect === 'sqlite')
    return [`create trigger ${name} after ${moment} on messages when ${condition} begin ${insertion(words, type)} end`]
  return [
    `create function ${name}() returns trigger language plpgsql as $body$ begin ${insertion(words, type)} return null; end $body$`,
    `create trigger ${name} after ${moment} on messages for each row when (${condition}) execute function ${name}()`
  ]
}

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
        ...trigger(
          words,
          'messages_made',
          'insert',
          `new.state in ${told}`,
          `case new.origin when 'operator' then 'message.operator' else 'message.' || new.state end`
        ),
        ...trigger(
          words,
          'messages_moved',
          'update of state',
          `new.state in ${told} and new.state <> old.state`,
          `'message.' || new.state`
        )
      ]
    }
  }
]
