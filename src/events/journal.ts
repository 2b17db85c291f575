import type { Logger } from 'pino'
import type { SwitchboardEvent } from '../../schemas/events.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import type { MessageRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { newsWord, numberEvents } from './numbering.ts'
import { createTail } from './tail.ts'
import { type NumberedEvent, toEvent } from './view.ts'

/** What can be told of an event without reading the thing that it is about. */
export type EventHead = Pick<
  NumberedEvent,
  'position' | 'nonce' | 'type' | 'mode' | 'channel_id' | 'service' | 'contact' | 'message_id'
>

/** An event as it is read. */
export interface JournalEvent {
  head: EventHead
  /** The other side: digits or a user id; null: there is none, or it was erased. What lanes are made of. */
  contact: string | null
  event: SwitchboardEvent
  /** The event as JSON: made once for all who read it. */
  text: string
}

export interface JournalQuery {
  /** The place behind which it begins; 0: with the oldest that is kept. */
  after: number
  /** How many events at most. */
  limit: number
  filter: (head: EventHead) => boolean
}

export interface JournalPage {
  events: JournalEvent[]
  /** Where to go on: the place of the last event that was looked at, found or not. */
  next: number
  /** Whether there may be more behind it already. */
  more: boolean
}

export interface Journal extends Periodic {
  /** Oldest first. Never skips one: what is committed later gets a later place. Bounded in time; see `more`. */
  read: (query: JournalQuery) => Promise<JournalPage>
  /** As `read`, for those who follow the newest: what happened in the last seconds is read once for all of them. */
  follow: (query: JournalQuery) => Promise<JournalPage>
  /** The event at a place; undefined: it is not kept (any more). */
  at: (position: number) => Promise<JournalEvent | undefined>
  /** The place of the newest event, 0 where there is none. */
  end: () => Promise<number>
  /** Calls the listener when there is something new, here or on another replica. @returns ends that */
  onNews: (listener: () => void) => () => void
}

/** Heads in one query. */
const mostHeads = 1000
/** Queries in one read, so that a filter that lets nothing through does not go through a whole journal in one go. */
const mostLooks = 50
/** Events that are read for those who follow, in one look. */
const mostNews = 500
/** How long commits are gathered before it is looked what is new. */
const gatherMs = 15
/** A word from another replica can be missed: so often it is asked. */
const askMs = 1000

export function createJournal(store: Store, log: Logger): Journal {
  const { build } = store
  const heads = build
    .selectFrom('events')
    .select(['position', 'nonce', 'type', 'mode', 'channel_id', 'service', 'contact', 'message_id'])
    .orderBy('position')
  const newest = build
    .selectFrom('events')
    .select(eb => eb.fn.max('position').as('position'))
    .compile()

  const load = async (positions: number[]): Promise<JournalEvent[]> => {
    if (positions.length === 0) return []
    const rows = (await store.read(
      build.selectFrom('events').selectAll().where('position', 'in', positions).orderBy('position').compile()
    )) as NumberedEvent[]
    const ids = [...new Set(rows.flatMap(row => row.message_id ?? []))]
    const messages =
      ids.length === 0
        ? []
        : await store.read(build.selectFrom('messages').selectAll().where('id', 'in', ids).compile())
    const byId = new Map<string, MessageRow>(messages.map(row => [row.id, row]))
    return rows.flatMap(row => {
      const message = row.message_id === null ? undefined : byId.get(row.message_id)
      // Its row has gone by now, and the event goes with it.
      if (row.message_id !== null && !message) return []
      const contact = message ? (message.contact ?? message.user_id) : row.contact
      const event = toEvent(row, message)
      return { head: row, contact, event, text: JSON.stringify(event) }
    })
  }

  const end: Journal['end'] = async () => (await store.read(newest))[0]?.position ?? 0

  const read: Journal['read'] = async ({ after, limit, filter }) => {
    const found: EventHead[] = []
    let next = after
    let more = true
    for (let look = 0, size = limit; more && found.length < limit && look < mostLooks; look++, size = mostHeads) {
      const rows = (await store.read(heads.where('position', '>', next).limit(size).compile())) as EventHead[]
      more = rows.length === size
      for (const row of rows) {
        if (found.length === limit) {
          more = true
          break
        }
        next = row.position
        if (filter(row)) found.push(row)
      }
    }
    return { events: await load(found.map(row => row.position)), next, more }
  }

  const listeners = new Set<() => void>()
  const tail = createTail()
  /** How far the tail has been read; undefined while nobody follows. */
  let seen: number | undefined
  const look = async (): Promise<void> => {
    if (store.dialect === 'postgres') await numberEvents(store)
    if (listeners.size === 0) {
      seen = undefined
      return
    }
    const from = seen ?? (await end())
    const { events, next, more } = await read({ after: from, limit: mostNews, filter: () => true })
    const fresh = seen === undefined || events.length > 0
    tail.add(from, events, next)
    seen = next
    if (more) again = true
    if (fresh) for (const listener of [...listeners]) listener()
  }
  let looking = false
  let again = false
  let timer: NodeJS.Timeout | undefined
  /** One look at a time; what is committed meanwhile brings another. */
  const lookSoon = (): void => {
    again = true
    if (looking || timer) return
    timer = setTimeout(async () => {
      timer = undefined
      looking = true
      again = false
      // Said by the periodic look, which comes in any case.
      await look().catch(() => undefined)
      looking = false
      if (again && !stopped) lookSoon()
    }, gatherMs).unref()
  }
  let stopped = false
  store.onCommit(() => !stopped && lookSoon())
  store.notifications?.subscribe(word => word === newsWord && !stopped && lookSoon())
  const asking = createPeriodic(look, askMs, log, 'new events could not be looked for: it is tried again')

  return {
    read,
    end,
    follow: async query => tail.read(query) ?? (await read(query)),
    at: async position => (await load([position]))[0],
    onNews: listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    start: asking.start,
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await asking.stop()
    }
  }
}
