import { setImmediate as rest } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { EventQuery, SwitchboardEvent } from '../../schemas/events.ts'
import { invalid } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import type { Undelivered } from '../store/retention.ts'
import type { Store } from '../store/store.ts'
import { createDeliverBy } from './deliver-by.ts'
import { createJournal, type Journal } from './journal.ts'
import { filterOf, type StreamRequest, streamEvents } from './stream.ts'
import { placeOf, toCursor } from './view.ts'

// The journal of events (docs/api.md 12, docs/reliability.md P53): what has changed, in one order for everybody.
//
// To write: the states of messages are written by triggers of the database, so a statement that changes `messages.state`
// (or inserts a row that has a state worth telling) needs nothing more. Everything else puts `eventEntry(store, { type,
// mode, channel, service?, contact?, data })` of `src/store/event-entry.ts` into the unit of its change, as it does with
// `auditEntry`. `data` is what the GET of the thing tells now.
//
// To read: `journal.read({ after, limit, filter })` goes on behind a place and answers `{ events, next, more }`; keep `next`
// and go on there, for ever: a late commit gets a later place. `journal.at(place)` is one event; `placeOf(id)` the place
// of an event's id. `filter` sees an event's head; `hears(caller)` is the filter of what a key may see.
//
// To wake: `journal.onNews(listener)` calls, a few milliseconds after a commit of this process and after the word of
// another replica, once for what has come together. It says nothing but that `read` is worth it.
//
// To keep: what is given to `keepUndelivered` is asked before events and the content of their messages are deleted, so
// that they live until they are delivered or given up.

export { eventEntry, type NewEvent } from '../store/event-entry.ts'
export {
  createJournal,
  type EventHead,
  type Journal,
  type JournalEvent,
  type JournalPage,
  type JournalQuery
} from './journal.ts'
export { hears } from './rights.ts'
export { eventId, placeOf, toCursor } from './view.ts'

/** Events that are not the caller's are passed over for so long; millions of them are gone through in several calls. */
const longestMs = 3000

/** What the routes ask for. */
export interface EventReads {
  list: (caller: Caller, query: EventQuery) => Promise<{ items: SwitchboardEvent[]; nextCursor: string }>
  /** @param after an event's id or a nextCursor */
  stream: (request: Omit<StreamRequest, 'after'> & { after?: string }) => AsyncGenerator<string>
}

export interface Events {
  journal: Journal
  reads: EventReads
  /** For the upkeep: of these places, those that somebody has still to deliver. */
  undelivered: Undelivered
  /** Has somebody asked before events are deleted for their age. */
  keepUndelivered: (ask: Undelivered) => void
  start: () => void
  stop: () => Promise<void>
}

function requirePlace(text: string, field: string): number {
  const place = placeOf(text)
  if (place === undefined) throw invalid(field, 'is no place in the events: take nextCursor, or the id of an event')
  return place
}

/** The room of events: the journal, and what reads it. */
export function createEvents({ store, log }: { store: Store; log: Logger }): Events {
  const journal = createJournal(store, log)
  const deliverBy = createDeliverBy(store, log)
  const keepers: Undelivered[] = []
  /** Ends every stream: one has no end of its own that a shutdown could wait for. */
  const ending = new AbortController()
  const reads: EventReads = {
    list: async (caller, { since, limit = 25, ...query }) => {
      const after = since === undefined ? 0 : requirePlace(since, 'query/since')
      const filter = filterOf(caller, query)
      let page = await journal.read({ after, limit, filter })
      // An empty page says that there is nothing new, so what the caller may not see is passed over.
      const end = performance.now() + longestMs
      while (page.events.length === 0 && page.more && performance.now() < end) {
        await rest()
        page = await journal.read({ after: page.next, limit, filter })
      }
      return { items: page.events.map(({ event }) => event), nextCursor: toCursor(page.next) }
    },
    stream: ({ signal, after, ...request }) =>
      streamEvents(journal, {
        ...request,
        signal: AbortSignal.any([signal, ending.signal]),
        ...(after !== undefined && { after: requirePlace(after, 'headers/last-event-id') })
      })
  }
  return {
    journal,
    reads,
    undelivered: async positions => {
      const kept = await Promise.all(keepers.map(ask => ask(positions)))
      return new Set(kept.flatMap(places => [...places]))
    },
    keepUndelivered: ask => void keepers.push(ask),
    start: () => {
      journal.start()
      deliverBy.start()
    },
    stop: async () => {
      ending.abort()
      await Promise.all([journal.stop(), deliverBy.stop()])
    }
  }
}
