import type { ContactWindow, ConversationQuery } from '../../schemas/contacts.ts'
import type { Message } from '../../schemas/messages.ts'
import type { ConversationItem } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { ask } from '../dispatch/ask.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import type { RemoteMedia } from '../media/remote.ts'
import { identities } from '../messages/identities.ts'
import type { MessageQueries } from '../messages/queries.ts'
import { toMessage } from '../messages/view.ts'
import { createHeardWindow, windowAfter } from '../messages/window.ts'
import { requirePerson } from '../phone.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import { cursorOf, placeOf } from './contacts.ts'

export interface History {
  /** What was said with one person, newest first. */
  list: (
    caller: Caller,
    phone: string,
    query: ConversationQuery
  ) => Promise<{ items: Message[]; nextCursor: string | null }>
  /** Whether WhatsApp takes a free message to this person now. */
  window: (caller: Caller, phone: string, channel: string | undefined) => Promise<ContactWindow>
}

export interface HistoryParts {
  store: Store
  providerClient: ProviderClient
  channels: Channels
  queries: MessageQueries
  remote: RemoteMedia
  /** What stands before /errors#code. */
  typeBase: string
}

/** Pages of a provider's history that are looked through for what the person last wrote. */
const mostPages = 3

export function createHistory(parts: HistoryParts): History {
  const { store, providerClient, channels, queries, remote, typeBase } = parts
  const names = identities(store)
  const heardWindow = createHeardWindow(store)
  const keeps = (channel: DispatchChannel): boolean =>
    providerClient.adapter(channel.provider).operations.listConversation !== undefined

  /** An item as a caller sees it: its file by an id of ours, its failure as a problem. */
  const toItem = async (channel: DispatchChannel, { message, file, failure }: ConversationItem): Promise<Message> => {
    const view: Record<string, unknown> = { ...message }
    if (file) {
      const { path, ...words } = file
      view[message.type] = { mediaId: await remote.remember(channel, path, file.filename ?? null), ...words }
    }
    if (failure !== undefined)
      view.error = toMessageError(new ServiceError('message_rejected', failure), typeBase, true)
    return view as Message
  }

  /** When the person last wrote, by the provider's own history; null: never; undefined: further back than was read. */
  const lastInbound = async (channel: DispatchChannel, phone: string): Promise<number | null | undefined> => {
    let cursor: string | undefined
    for (let page = 0; page < mostPages; page++) {
      const { items, nextCursor } = await ask(providerClient, 'listConversation', channel, {
        phone,
        limit: 100,
        ...(cursor !== undefined && { cursor })
      })
      const inbound = items.find(({ message }) => message.direction === 'inbound')
      if (inbound) return Date.parse(inbound.message.createdAt)
      if (nextCursor === null) return null
      cursor = nextCursor
    }
    return undefined
  }

  return {
    list: async (caller, phone, { channel: id, include, limit = 25, cursor }) => {
      const person = requirePerson(phone, 'path/phone')
      const channel = await channels.resolve(caller, id)
      if (!keeps(channel)) {
        const page = pageRequest({ limit, ...(cursor !== undefined && { cursor }) })
        const people = await names.of(channel.mode, channel.id, person)
        const rows = await queries.list(caller, { channel: channel.id, people }, page)
        const { items, nextCursor } = toPage(rows, limit)
        return { items: items.map(toMessage), nextCursor }
      }
      const of = ['messages', channel.mode, channel.id, person]
      const page = await ask(providerClient, 'listConversation', channel, {
        phone: person,
        limit,
        ...placeOf(of, cursor)
      })
      const shown = page.items.filter(item => include === 'events' || !item.event)
      const items: Message[] = []
      for (const item of shown) items.push(await toItem(channel, item))
      return { items, nextCursor: cursorOf(of, limit, page.nextCursor) }
    },

    window: async (caller, phone, id) => {
      const person = requirePerson(phone, 'path/phone')
      const channel = await channels.resolve(caller, id)
      const heard = await heardWindow(channel, person)
      if (heard.open !== 'unknown' || !keeps(channel)) return heard
      const at = await lastInbound(channel, person)
      if (at === undefined) return heard
      return at === null ? { open: false } : windowAfter(at, store.clock())
    }
  }
}
