import type { Migration, Words } from './words.ts'

// Usage is counted by triggers, in the commit of each change of a message: no statement can forget to, and no answer has to
// look through messages (docs/decisions/0086). On PostgreSQL a change adds a line, since counters that many commits change
// would hold one another up; the lines are folded into the counters in the background.

/** What has come to something: what waits or is on its way is not counted yet. */
const counted = `('accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled')`
const columns = 'day, mode, service, channel_id, template, status, category, price_type'
/** As `ours`, without a list (see `told` in events.ts). */
const oursLean = (row: string) =>
  [`${row}.direction = 'outbound'`, `${row}.origin is null`]
    .concat(['queued', 'claimed', 'sending', 'received'].map(state => `${row}.state <> '${state}'`))
    .join(' and ')
const ours = (row: string) => `${row}.direction = 'outbound' and ${row}.origin is null and ${row}.state in ${counted}`

const keyOf = ({ dialect }: Words, row: string): string => {
  const day =
    dialect === 'sqlite'
      ? `strftime('%Y-%m-%d', ${row}.created_at / 1000, 'unixepoch')`
      : `to_char(to_timestamp(${row}.created_at / 1000.0) at time zone 'UTC', 'YYYY-MM-DD')`
  const price = (name: string) =>
    dialect === 'sqlite'
      ? `coalesce(${row}.pricing ->> '${name}', '')`
      : `coalesce(cast(${row}.pricing as json) ->> '${name}', '')`
  return [
    ...[day, `${row}.mode`, `${row}.service`, `${row}.channel_id`, `coalesce(${row}.template, '')`, `${row}.state`],
    ...[price('category'), price('type')]
  ].join(', ')
}
/** Adds to the counter of a row. */
const add = (words: Words, row: string, count: 1 | -1): string =>
  words.dialect === 'sqlite'
    ? `insert into usage (${columns}, count) values (${keyOf(words, row)}, ${count})
         on conflict (${columns}) do update set count = count + ${count};`
    : `insert into usage_lines (${columns}, count) values (${keyOf(words, row)}, ${count});`

function trigger(words: Words, name: string, moment: string, condition: string, body: string): string[] {
  if (words.dialect === 'sqlite')
    return [`create trigger ${name} after ${moment} on messages when ${condition} begin ${body} end`]
  return [
    `create function ${name}() returns trigger language plpgsql as $body$ begin ${body} return null; end $body$`,
    `create trigger ${name} after ${moment} on messages for each row when (${condition}) execute function ${name}()`
  ]
}
/** A message keeps the name of its template when its content is dropped. */
function named(words: Words, unless = ''): string[] {
  const changes = `new.direction = 'outbound' and new.type <> old.type`
  const made = `new.direction = 'outbound' and new.type = 'template'${unless}`
  if (words.dialect === 'sqlite') {
    const set = `update messages set template = case new.type when 'template' then new.content ->> 'name' end where id = new.id;`
    return [
      `create trigger messages_named after insert on messages when ${made} begin ${set} end`,
      `create trigger messages_renamed after update of type on messages when ${changes} begin ${set} end`
    ]
  }
  return [
    `create function messages_named() returns trigger language plpgsql as $body$ begin
       new.template := case when new.type = 'template' then cast(new.content as json) ->> 'name' end; return new; end $body$`,
    `create trigger messages_named before insert on messages for each row when (${made}) execute function messages_named()`,
    `create trigger messages_renamed before update of type on messages for each row when (${changes})
       execute function messages_named()`
  ]
}

/** The triggers that count, each with the condition under which a row is counted at all. */
function counters(words: Words, counts: (row: string) => string): string[] {
  const sqlite = words.dialect === 'sqlite'
  const isnt = sqlite ? 'is not' : 'is distinct from'
  const young = sqlite
    ? `old.created_at > cast(unixepoch('subsec') * 1000 as integer) - 604800000`
    : `old.created_at > extract(epoch from statement_timestamp()) * 1000 - 604800000`
  const changed = `(new.state <> old.state or new.pricing ${isnt} old.pricing)`
  const change = 'update of state, pricing'
  return [
    ...trigger(words, 'usage_made', 'insert', counts('new'), add(words, 'new', 1)),
    ...trigger(words, 'usage_counted', change, `${counts('new')} and ${changed}`, add(words, 'new', 1)),
    ...trigger(words, 'usage_uncounted', change, `${counts('old')} and ${changed}`, add(words, 'old', -1)),
    // A broadcast that could not be stored takes its rows back; what retention deletes was used all the same.
    ...trigger(words, 'usage_withdrawn', 'delete', `${counts('old')} and ${young}`, add(words, 'old', -1))
  ]
}

export const usage: readonly Migration[] = [
  {
    name: '042_usage',
    statements: words => {
      const { int, id, clustered, dialect } = words
      const key = `day ${id} not null, mode ${id} not null, service ${id} not null, channel_id ${id} not null,
        template ${id} not null, status ${id} not null, category ${id} not null, price_type ${id} not null`
      const entry = dialect === 'sqlite' ? 'integer primary key' : 'bigint generated always as identity primary key'
      return [
        'alter table messages add column template text',
        `create table usage (${key}, count ${int} not null, primary key (${columns})) ${clustered}`,
        `create table usage_lines (entry ${entry}, ${key}, count ${int} not null)`,
        `create table usage_calls (
          day ${id} not null, mode ${id} not null, service ${id} not null, count ${int} not null,
          primary key (day, mode, service)
        ) ${clustered}`,
        ...named(words),
        ...counters(words, ours),
        `insert into usage (${columns}, count) select ${keyOf(words, 'messages')}, count(*) from messages
           where ${ours('messages')} group by 1, 2, 3, 4, 5, 6, 7, 8`
      ]
    }
  },
  {
    name: '043_lean_usage_triggers',
    statements: words =>
      words.dialect === 'postgres'
        ? []
        : [
            ...['made', 'counted', 'uncounted', 'withdrawn'].map(name => `drop trigger usage_${name}`),
            ...counters(words, oursLean)
          ]
  },
  {
    // A broadcast's rows bring their template's name along: on SQLite each would be written twice, and one refused at once be counted without.
    name: '049_rows_that_name_their_template',
    statements: words => [
      ...['messages_named', 'messages_renamed'].map(name =>
        words.dialect === 'sqlite' ? `drop trigger ${name}` : `drop trigger ${name} on messages`
      ),
      ...(words.dialect === 'sqlite' ? [] : ['drop function messages_named()']),
      ...named(words, ' and new.template is null')
    ]
  }
]
