import { DatabaseSync } from 'node:sqlite'
import { idAt } from '../src/store/retention.ts'

// Fills a store with messages in bulk: by SQL, with indexes and triggers taken out meanwhile. What the triggers would have
// written is written here as far as lists, claims and retention meet it: events, of the newest tenth. Usage is not.

/** A database as filling it wants it. */
export interface Bulk {
  run: (statement: string) => Promise<unknown>
  /** A table expression with the column i, from one number to another. */
  series: (from: number, to: number) => string
  hex: (expression: string, width: number) => string
  /** Takes out what would be kept up row by row. @returns puts it back */
  bare: () => Promise<() => Promise<void>>
  close: () => Promise<void>
}

const dayMs = 24 * 3600_000
/** What a store remembers: as long as KEEP_ROWS_DAYS would have it, and a little less. */
const spanMs = 390 * dayMs
/** Rows in one statement. */
const portion = 500_000

export const seldom = { service: 'seldom', channel: 'seldom' }

/** SQLite's file, by a connection of its own that syncs nothing; nobody else may have it open. */
export function bulkSqlite(file: string): Bulk {
  const db = new DatabaseSync(file, { defensive: false })
  db.exec('PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-1000000; PRAGMA temp_store=FILE')
  const run = async (statement: string) => db.exec(statement)
  return {
    run,
    series: (from, to) =>
      `(with recursive s(i) as (select ${from} union all select i + 1 from s where i < ${to}) select i from s) series`,
    hex: (expression, width) => `printf('%0${width}x', ${expression})`,
    bare: async () => {
      const made = db
        .prepare(
          `select type, name, sql from sqlite_master where sql is not null and type in ('index', 'trigger')
           and tbl_name in ('messages', 'message_ids', 'events', 'idempotency')`
        )
        .all() as { type: string; name: string; sql: string }[]
      for (const { type, name } of made) db.exec(`drop ${type} ${name}`)
      return async () => {
        for (const { sql } of made) db.exec(sql)
      }
    },
    close: async () => {
      db.exec('PRAGMA journal_mode=WAL')
      db.close()
    }
  }
}

/** PostgreSQL's database, through statements of its superuser. */
export function bulkPostgres(query: (statement: string) => Promise<Record<string, unknown>[]>): Bulk {
  return {
    run: query,
    series: (from, to) => `(select i from generate_series(${from}::bigint, ${to}::bigint) i) series`,
    hex: (expression, width) => `lpad(to_hex((${expression})::bigint), ${width}, '0')`,
    bare: async () => {
      const made = (await query(
        `select indexname as name, indexdef as sql from pg_indexes where schemaname = 'public'
         and tablename in ('messages', 'message_ids', 'events', 'idempotency')
         and indexname not like '%_pkey' and indexname not like '%_key'`
      )) as { name: string; sql: string }[]
      for (const { name } of made) await query(`drop index ${name}`)
      await query('alter table messages disable trigger user')
      return async () => {
        await query(`set maintenance_work_mem = '1GB'`)
        for (const { sql } of made) await query(sql)
        await query('alter table messages enable trigger user')
        await query('vacuum analyze')
      }
    },
    close: async () => {}
  }
}

/** So many of each in a store of any size, all over it, at an offset of their own. */
const scattered = (rows: number, count: number, offset: number): string => `i % ${Math.floor(rows / count)} = ${offset}`
/** A number below 2^32 that looks like chance, and is the same in every run. */
const hash = (i: string): string => `(cast(${i} as bigint) * 2654435761 + 12345) % 4294967296`

/** What becomes of row i: the newest are on their way, nearly all others have ended. */
const kindOf = (rows: number): string => `case
  when i > ${rows - 300} then 'queued' when i > ${rows - 320} then 'sending' when i > ${rows - 370} then 'unknown'
  when i > ${Math.floor(rows * 0.9)} and ${scattered(rows, 1000, 5)} then 'scheduled'
  when ${scattered(rows, 50, 11)} then 'lost' when ${scattered(rows, 50, 12)} then 'expired'
  when ${scattered(rows, 50, 13)} then 'canceled'
  when chance < 100 then 'received' when chance < 130 then 'failed' when chance < 180 then 'accepted'
  when chance < 200 then 'sent' when chance < 500 then 'delivered' else 'read' end`
const final = `('delivered', 'read', 'failed', 'expired', 'canceled', 'received', 'lost')`
const columns = `id, service, key_id, mode, channel_id, provider, direction, contact, type, content, options, state, final,
  attempts, run_at, lease_until, send_at, expires_at, provider_message_id, reference, error, timeline, created_at,
  accepted_at, sent_at, delivered_at, read_at, failed_at, lane, queue, broadcast_id, template`

/** A line of a timeline, some milliseconds after the message was made. */
const line = (ms: number, status: string): string =>
  `'{"at":' || (at + ${ms}) || ',"status":"${status}","attempt":1,"upstreamStatus":200,"upstreamMs":212}\n'`
/** The instant of a status, for the kinds of messages that came so far. */
const instant = (ms: number, ...kinds: string[]): string =>
  `case when kind in (${kinds.map(word => `'${word}'`).join(', ')}) then at + ${ms} end`

/** Rows `from` to `to` of the messages, the last of which was made at `newest`. */
function messages({ hex, series }: Bulk, rows: number, from: number, to: number, newest: number): string {
  const step = Math.floor(spanMs / rows)
  const people = Math.floor(rows / 20)
  const at = (i: string) => `(${newest - rows * step} + cast(${i} as bigint) * ${step})`
  const idOf = (prefix: string, i: string) =>
    `'${prefix}_' || ${hex(at(i), 12)} || '70008' || ${hex(`cast(${i} as bigint) * 7919 % 268435456`, 7)} || ${hex(hash(i), 8)}`
  const later = `${newest + dayMs} + i % 1000 * 60000`
  const kept = `i > ${Math.floor(rows * 0.9)} or i <= 2000`
  return `insert into messages (${columns})
    with seed as materialized (select i, ${at('i')} as at, ${idOf('msg', 'i')} as id, ${hash('i')} / 4096 % 1000 as chance,
        ${hash('i')} / 1024 % 100 as luck, ${hex(hash('i'), 8)} as word, '1415' || (2000000 + i * 7919 % ${people}) as contact,
        case when i > ${rows - 300} and i <= ${rows - 200} then ${idOf('brd', String(rows))}
          when i <= ${rows - 400} and i % 500 < 100 then ${idOf('brd', 'i - i % 500')} end as brd
      from ${series(from, to)}),
    made as materialized (select *, ${kindOf(rows)} as kind,
        case when ${scattered(rows, 200, 17)} then 'test' else 'live' end as mode,
        case when ${scattered(rows, 40, 23)} then '${seldom.channel}' when luck % 10 < 5 then 'main'
          when luck % 10 < 8 then 'second' else 'third' end as channel from seed),
    owned as materialized (select *, case when kind = 'queued' and brd is not null then 1 else 0 end as lane,
        case when kind = 'received' then '' when ${scattered(rows, 200, 19)} then '${seldom.service}' when luck < 40 then 'billing'
          when luck < 65 then 'support' when luck < 85 then 'shop' else 'login' end as service from made)
    select id, service, 'key_' || service, mode, channel, 'whatsapp-cloud',
      case kind when 'received' then 'inbound' else 'outbound' end, contact,
      case when brd is null then 'text' else 'template' end,
      case when ${kept}
        then '{"body":"Your order ' || word || ' is on its way and will be with you tomorrow between 9 and 12."}' end,
      case when ${kept} then '{"requestId":"req_' || word || '"}' end,
      case kind when 'scheduled' then 'queued' when 'lost' then 'unknown' else kind end,
      case when kind in ${final} then 1 else 0 end,
      case when kind in ('queued', 'scheduled', 'received', 'canceled', 'expired') then 0 else 1 end,
      case when kind = 'scheduled' then ${later} else at end, case when kind = 'sending' then ${newest + dayMs} end,
      case when kind = 'scheduled' then ${later} end,
      case when kind in ('queued', 'scheduled') then ${newest + 30 * dayMs} else at + ${dayMs} end,
      case when kind in ('accepted', 'sent', 'delivered', 'read', 'received') then 'wamid.HBgL' || word || id end,
      case when i % 2 = 0 and kind <> 'received' then 'order-' || word || '-' || i end,
      case when kind = 'failed'
        then '{"code":"recipient_unreachable","detail":"The number is not on WhatsApp.","outcome":"not_sent"}' end,
      case when kind in ('queued', 'scheduled', 'received') then '' else ${line(100, 'sending')} || ${line(400, 'accepted')} ||
        case when kind in ('delivered', 'read') then ${line(600, 'delivered')} || ${line(900, 'read')} else '' end end,
      case when kind = 'received' and i % 500 = 7 then at - ${3 * dayMs} else at end, ${instant(400, 'accepted', 'sent', 'delivered', 'read')}, ${instant(500, 'sent', 'delivered', 'read')},
      ${instant(600, 'delivered', 'read')}, ${instant(900, 'read')}, ${instant(400, 'failed')}, lane,
      case when kind in ('queued', 'scheduled')
        then mode || '/' || lane || '/' || service || '/' || channel || '/' || coalesce(brd, '') else '' end,
      brd, case when brd is not null then 'order_update' end
    from owned`
}

/** What goes with the messages; `since` is the first id of the newest tenth. */
const beside = (since: string, now: number): string[] => [
  `insert into broadcasts (id, service, key_id, mode, channel_id, name, template, status, total, duplicates, skipped,
      created_at, started_at, finished_at)
    select broadcast_id, min(service), 'key_1', 'live', 'main', 'News', '{"name":"order_update","language":"en"}',
      case when max(lane) = 1 then 'running' else 'finished' end, count(*), 0, 0, min(created_at), min(created_at),
      case when max(lane) = 1 then null else min(created_at) end
    from messages where broadcast_id is not null group by broadcast_id`,
  `insert into message_ids (channel_id, mode, provider_id, message_id, attempt, parked, created_at)
    select channel_id, mode, provider_message_id, id, 1, 0, created_at from messages
    where provider_message_id is not null order by 1, 2, 3`,
  `insert into events (position, nonce, type, at, mode, channel_id, service, message_id, data)
    select created_at * 1000 + n, substr(id, 19, 18), 'message.' || status, created_at + n, mode, channel_id, service, id,
      '{"type":"text","provider":"whatsapp-cloud","state":"' || status || '","final":0,"attempts":1,"expires_at":' ||
      expires_at || ',"provider_message_id":"' || provider_message_id || '","accepted_at":' || accepted_at || '}'
    from messages join (select 400 as n, 'accepted' as status union all select 600, 'delivered' union all select 900, 'read')
      told on id > '${since}' and accepted_at is not null
      and (n = 400 or n = 600 and delivered_at is not null or n = 900 and read_at is not null) order by 1`,
  `insert into idempotency (service, mode, method, path, key, request_hash, message_id, status, headers, body,
      locked_until, created_at)
    select service, mode, 'POST', '/messages', substr(id, 30) || id, substr(id, 5) || substr(id, 5), id, 201, '{}',
      '{"id":"' || id || '","channel":"' || channel_id || '","provider":"whatsapp-cloud","mode":"live","to":"' || contact ||
      '","type":"text","text":' || content || ',"status":"accepted","final":false}', created_at, created_at
    from messages where id > '${since}' and direction = 'outbound' and broadcast_id is null and state <> 'queued' order by 1, 2, 3, 4, 5`,
  ...['main', 'second', 'third', seldom.channel].map(
    channel => `insert into channels (id, provider, connection_id, settings, is_default, paused, managed_by, created_at, updated_at)
      values ('${channel}', 'whatsapp-cloud', 'bench', '{}', 0, 0, 'api', ${now}, ${now})`
  )
]

/** Writes `rows` messages of the last 390 days, the newest made just now, and what goes with them. */
export async function fill(bulk: Bulk, rows: number, now: number): Promise<void> {
  const back = await bulk.bare()
  for (let from = 1; from <= rows; from += portion)
    await bulk.run(messages(bulk, rows, from, Math.min(rows, from + portion - 1), now - 1000))
  const since = idAt('msg', now - spanMs / 10)
  for (const statement of beside(since, now)) await bulk.run(statement)
  await back()
}
