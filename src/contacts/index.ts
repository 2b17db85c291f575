import type { Channels } from '../channels/channels.ts'
import type { ProviderClient } from '../dispatch/provider-client.ts'
import type { RemoteMedia } from '../media/remote.ts'
import type { MessageQueries } from '../messages/queries.ts'
import type { Store } from '../store/store.ts'
import { createBook } from './book.ts'
import { type Contacts, createContacts } from './contacts.ts'
import { type Conversations, createConversations } from './conversations.ts'
import { createErase, type Erase, type EraseParts } from './erase.ts'
import { createHistory, type History } from './history.ts'
import { type ContactTable, createContactTable } from './table.ts'

export interface ContactRooms {
  contacts: Contacts
  contactTable: ContactTable
  conversations: Conversations
  history: History
  erase: Erase
}

export interface AssemblyParts extends EraseParts {
  store: Store
  queries: MessageQueries
  channels: Channels
  providerClient: ProviderClient
  remote: RemoteMedia
  /** What stands before /errors#code in a stored error. */
  typeBase: string
}

/** People, as callers see them: address book, table, conversation and history; and how one is forgotten. */
export function assembleContacts(parts: AssemblyParts): ContactRooms {
  const book = createBook(parts.store)
  return {
    contacts: createContacts({ ...parts, book }),
    contactTable: createContactTable({ ...parts, book }),
    conversations: createConversations(parts),
    history: createHistory(parts),
    erase: createErase(parts)
  }
}
