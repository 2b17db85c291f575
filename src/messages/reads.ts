import type { Message, MessageFilter, Timeline } from '../../schemas/messages.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, seesMessage } from '../keys/caller.ts'
import { requirePerson } from '../phone.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { MessageRow } from '../store/schema.ts'
import { change, type Store } from '../store/store.ts'
import { identities } from './identities.ts'
import type { Notifications } from './notifications.ts'
import type { MessageQueries } from './queries.ts'
import { timelineEntry, toTimeline } from './timeline.ts'
import { publicStatus, toMessage } from './view.ts'

/** What was written of messages, for those who may see it. */
export interface MessageReads {
  /**
   * @param waitMs how long to wait for it to be final
   * @param again the caller as its key is now, asked before each further look; throws where it may not ask any more
   */
  get: (caller: Caller, id: string, waitMs?: number, again?: () => Promise<Caller>) => Promise<Message>
  list: (caller: Caller, filter: MessageFilter) => Promise<{ items: Message[]; nextCursor: string | null }>
  timeline: (caller: Caller, id: string) => Promise<Timeline>
  cancel: (caller: Caller, id: string) => Promise<Message>
}

export interface MessageReadsParts {
  store: Store
  queries: MessageQueries
  notifications: Notifications
}

/** How long a word from another replica may be missed before the row itself is looked at. */
export const lookAgainMs = 1000

/** The row of a message that this caller may see. Throws a 404 for any other. */
export const loader =
  (store: Store, queries: MessageQueries) =>
  async (caller: Caller, id: string): Promise<MessageRow> => {
    const [row] = await store.read(queries.byId({ id }))
    if (!row || !seesMessage(caller, row)) throw new ServiceError('not_found', `There is no message ${id}.`)
    return row
  }

export function createMessageReads({ store, queries, notifications }: MessageReadsParts): MessageReads {
  const load = loader(store, queries)
  const names = identities(store)

  return {
    get: async (caller, id, waitMs = 0, again = async () => caller) => {
      const end = performance.now() + waitMs
      for (let asks = caller; ; asks = await again()) {
        const row = await load(asks, id)
        const left = end - performance.now()
        if (row.final === 1 || left <= 0 || notifications.closed()) return toMessage(row)
        await notifications.wait(id, Math.min(left, lookAgainMs))
      }
    },

    list: async (caller, { limit, cursor, contact, ...filter }) => {
      const person = contact === undefined ? undefined : requirePerson(contact, 'query/contact')
      const people = person === undefined ? undefined : await names.of(caller.mode, filter.channel, person)
      const page = pageRequest({ limit, cursor })
      const { items, nextCursor } = toPage(await queries.list(caller, { ...filter, people }, page), page.limit)
      return { items: items.map(toMessage), nextCursor }
    },

    timeline: async (caller, id) => toTimeline(await load(caller, id)),

    cancel: async (caller, id) => {
      const { attempts } = await load(caller, id)
      const entry = timelineEntry(store.clock(), { state: 'canceled', attempts }, `canceled by ${caller.keyId}`)
      const doubt = timelineEntry(
        store.clock(),
        { state: 'unknown', attempts },
        `not to be sent again: canceled by ${caller.keyId}`
      )
      const canceled = await store.write(() => change(queries.cancel({ id, entry, doubt })))
      const after = await load(caller, id)
      if (canceled > 0) {
        notifications.publish(id)
        return toMessage(after)
      }
      const state = publicStatus(after.state)
      throw new ServiceError('conflict', `The message ${id} is ${state}: only a queued one can be canceled.`, {
        messageId: id
      })
    }
  }
}
