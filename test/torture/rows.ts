import { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import type { Store } from '../../src/store/store.ts'
import { usageBesideRows } from '../usage/beside-rows.ts'

// What stands in the database at the end of a run, looked at from outside.

/** A message of either side. */
export interface HeardRow {
  id: string
  direction: string
  contact: string | null
  state: string
  provider_message_id: string | null
  /** JSON lines. */
  timeline: string
}
/** An event of the journal that is about a message. */
export interface EventRow {
  position: number
  type: string
  message_id: string
  contact: string | null
  channel_id: string
}
/** What is counted, beside the messages. */
export interface Usage {
  counters: number
  /** A sentence for each counter that is off. */
  off: string[]
}

export interface Rows {
  messages: HeardRow[]
  events: EventRow[]
  usage: Usage
  /** Webhooks that were kept and not read to their end. */
  unread: number
}

export type Query = (statement: string) => Promise<Record<string, unknown>[]>

/** Asks the file of an embedded store, which a running process may have open. */
export const sqliteQuery =
  (file: string): Query =>
  async statement => {
    const database = new DatabaseSync(file, { readOnly: true })
    try {
      return database.prepare(statement).all()
    } finally {
      database.close()
    }
  }

/** Events that no subscriber has taken yet, or been found for. */
export const undelivered = async (query: Query): Promise<number> =>
  Number(
    (
      await query(`select (select count(*) from deliveries where state = 'pending')
        + (select count(*) from events where position is null or position > (select min(position) from subscriptions)) as n`)
    )[0]!.n
  )

export const unread = async (query: Query): Promise<number> =>
  Number((await query(`select count(*) as n from webhooks where state <> 'read'`))[0]!.n)

async function readUsage(query: Query, dialect: Store['dialect']): Promise<Usage> {
  const read = async ({ sql }: CompiledQuery) => (await query(sql)) as never
  return {
    counters: Number((await query('select count(*) as n from usage where count <> 0'))[0]!.n),
    off: await usageBesideRows({ dialect, read })
  }
}

export async function readRows(query: Query, dialect: Store['dialect']): Promise<Rows> {
  const messages = await query('select id, direction, contact, state, provider_message_id, timeline from messages')
  const events = await query(
    `select position, events.type, message_id, messages.contact, events.channel_id from events
       left join messages on messages.id = message_id where message_id is not null order by position`
  )
  return {
    messages: messages as unknown as HeardRow[],
    events: events.map(row => ({ ...row, position: Number(row.position) })) as EventRow[],
    usage: await readUsage(query, dialect),
    unread: await unread(query)
  }
}
