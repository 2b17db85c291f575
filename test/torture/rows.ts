import { DatabaseSync } from 'node:sqlite'

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
}

export interface Rows {
  messages: HeardRow[]
  events: EventRow[]
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

export async function readRows(query: Query): Promise<Rows> {
  const messages = await query('select id, direction, contact, state, provider_message_id, timeline from messages')
  const events = await query(
    'select position, type, message_id from events where message_id is not null order by position'
  )
  return {
    messages: messages as unknown as HeardRow[],
    events: events.map(row => ({ ...row, position: Number(row.position) })) as EventRow[],
    unread: await unread(query)
  }
}
