import type { EventType } from '../../schemas/events.ts'

// The journal of events; how values are kept, see schema.ts.

export interface EventRow {
  /**
   * Its place in the journal, in microseconds since 1970 or one more than the place before: never given twice, not even by
   * a store that was restored. On PostgreSQL null until the commit can be seen (events/numbering.ts).
   */
  position: number | null
  /** The rest of its id: what makes it another than an event at the same place of another store. */
  nonce: string
  type: EventType
  at: number
  mode: 'live' | 'test'
  /** Null: it concerns no channel. */
  channel_id: string | null
  /** Empty: it belongs to the channel. */
  service: string
  /** The person that it is about, where no message says so. */
  contact: string | null
  message_id: string | null
  /** JSON. Of a message: the columns that change with its state, as they were then; else the whole of what is told. */
  data: string
}

/** How a connection stood at Maton when it was last looked at, so that one of several replicas tells of a change. */
export interface ConnectionStandingRow {
  provider: string
  id: string
  status: string
}

export interface EventTables {
  events: EventRow
  connection_standings: ConnectionStandingRow
}
