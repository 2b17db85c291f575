import type { Channels } from '../channels/channels.ts'
import { ask } from '../dispatch/ask.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { invalid, ServiceError } from '../errors.ts'
import { type Caller, requireRecipient, seesMessage } from '../keys/caller.ts'
import type { MessageQueries } from '../messages/queries.ts'
import { requirePerson } from '../phone.ts'
import type { Store } from '../store/store.ts'

/** What is done with a conversation beside sending into it. */
export interface Conversations {
  /** `id` is a message of ours, or the provider's own id. */
  markRead: (caller: Caller, id: string, of: { channel?: string; typing?: boolean }) => Promise<void>
  /** Without an email the provider's bot has it. */
  assign: (caller: Caller, phone: string, of: { channel?: string; email?: string }) => Promise<void>
}

export interface ConversationsParts {
  store: Store
  queries: MessageQueries
  channels: Channels
  providerClient: ProviderClient
}

export function createConversations({ store, queries, channels, providerClient }: ConversationsParts): Conversations {
  /** A message of ours as its provider knows it. */
  const ours = async (
    caller: Caller,
    id: string,
    named: string | undefined
  ): Promise<{ channel: DispatchChannel; providerMessageId: string }> => {
    const [row] = await store.read(queries.byId({ id }))
    if (!row || !seesMessage(caller, row)) throw new ServiceError('not_found', `There is no message ${id}.`)
    if (named !== undefined && named !== row.channel_id)
      throw invalid('query/channel', `is not the message's channel, which is ${row.channel_id}`)
    const channel = await channels.resolve(caller, row.channel_id)
    providerClient.require('markMessageRead', channel)
    if (row.provider_message_id === null)
      throw new ServiceError('conflict', `The provider has no id of the message ${id} yet.`, { messageId: id })
    return { channel, providerMessageId: row.provider_message_id }
  }

  return {
    markRead: async (caller, id, { channel: named, typing = false }) => {
      const { channel, providerMessageId } = id.startsWith('msg_')
        ? await ours(caller, id, named)
        : { channel: await channels.resolve(caller, named), providerMessageId: id }
      await ask(providerClient, 'markMessageRead', channel, { providerMessageId, typing })
    },

    assign: async (caller, text, { channel: named, email }) => {
      const phone = requirePerson(text, 'path/phone')
      const channel = await channels.resolve(caller, named)
      requireRecipient(caller, phone)
      await ask(providerClient, 'assignContact', channel, { phone, ...(email !== undefined && { email }) })
    }
  }
}
