import type { Message } from '../../../schemas/messages.ts'
import type { ConversationItem, ResolvedTemplate } from '../../adapters/adapter.ts'
import type { Channels } from '../../channels/channels.ts'
import { ask } from '../../dispatch/ask.ts'
import type { DispatchChannel, ProviderClient } from '../../dispatch/provider-client.ts'
import { ServiceError, toMessageError } from '../../errors.ts'
import type { Caller } from '../../keys/caller.ts'
import type { Sleepers, UnknownQueries } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { ProviderEvent, ProviderStatus } from '../../messages/provider-status.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { loader } from '../../messages/reads.ts'
import { draftOf } from '../../messages/row.ts'
import { attemptsOf, doubtsOf, timelineEntry } from '../../messages/timeline.ts'
import { publicStatus, toMessage } from '../../messages/view.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import type { Definitions } from '../../templates/definitions.ts'
import { chooseDefinition } from '../../templates/fill.ts'
import type { Preparation } from '../intake/prepare.ts'
import { matchOf, renderings, sameMatch } from './match.ts'
import { conflict } from './resend.ts'

/** Looks an unknown message up at the provider, and settles it if it is there. The message as it then is. */
export type Reconcile = (caller: Caller, id: string) => Promise<Message>

export interface ReconcileParts {
  store: Store
  queries: MessageQueries
  unknown: UnknownQueries
  providerStatus: ProviderStatus
  providerClient: ProviderClient
  channels: Channels
  definitions: Definitions
  preparation: Preparation
  notifications: Notifications
  typeBase: string
  sleepers: Sleepers
}

/** How far the clocks may differ (docs/reliability.md 3.1). */
const marginMs = 60_000
const pageSize = 100
/** Pages that are looked through at most. */
const mostPages = 10

interface Span {
  from: number
  to: number
}
const within = (at: number, spans: Span[]): boolean => spans.some(({ from, to }) => at >= from && at <= to)

export function createReconcile(parts: ReconcileParts): Reconcile {
  const { store, queries, unknown, providerStatus, providerClient, channels, definitions, preparation } = parts
  const { notifications, typeBase, sleepers } = parts
  const load = loader(store, queries)
  const reads = (channel: DispatchChannel): boolean =>
    providerClient.adapter(channel.provider).operations.listConversation !== undefined

  /** Every way in which the words of a template may stand there; none where they cannot be made any more. */
  const textsOf = async (row: MessageRow, channel: DispatchChannel): Promise<string[]> => {
    if (row.type !== 'template' || row.content === null) return []
    const content = JSON.parse(row.content)
    try {
      const { items } = await definitions.find(channel, content.name)
      const definition = chooseDefinition(content, items, channel.id, [])
      const { sendable } = await preparation.prepare(draftOf(row), channel)
      return renderings(definition, sendable.content as ResolvedTemplate)
    } catch (error) {
      if (error instanceof ServiceError && (error.code.startsWith('template_') || error.code === 'unsupported'))
        return []
      throw error
    }
  }

  /** What was said since an instant; undefined: more than is looked through. */
  const conversation = async (
    channel: DispatchChannel,
    phone: string,
    since: number
  ): Promise<ConversationItem[] | undefined> => {
    const found: ConversationItem[] = []
    let cursor: string | undefined
    for (let page = 0; page < mostPages; page++) {
      const input = { phone, limit: pageSize, ...(cursor !== undefined && { cursor }) }
      const { items, nextCursor } = await ask(providerClient, 'listConversation', channel, input)
      found.push(...items)
      const last = items.at(-1)
      if (nextCursor === null || (last && Date.parse(last.message.createdAt) < since)) return found
      cursor = nextCursor
    }
    return undefined
  }

  /** The one item that this message is; else why none is. */
  const find = async (row: MessageRow, channel: DispatchChannel): Promise<ConversationItem | string> => {
    if (!reads(channel)) return `${row.provider} keeps no history that could be read: only its webhook can tell.`
    const match = matchOf(row, await textsOf(row, channel))
    if (!match) return `A ${row.type} without words cannot be told from another in the history of ${row.provider}.`
    const spans = doubtsOf(row).map(({ from, to }) => ({
      from: from - marginMs,
      // So long after its start it may still have been taken.
      to: Math.min(to, from + sleepers.timeoutMs) + marginMs
    }))
    if (spans.length === 0) return 'No attempt is known of which the end is not.'
    const items = await conversation(channel, row.contact!, Math.min(...spans.map(({ from }) => from)))
    if (!items) return `The last ${mostPages * pageSize} items of the conversation do not reach back to the attempt.`

    const about = items.filter(
      ({ message, event }) =>
        !event &&
        message.direction === 'outbound' &&
        message.origin !== 'operator' &&
        within(Date.parse(message.createdAt), spans)
    )
    const { id, mode, contact, type } = row
    const others = await store.read(unknown.others({ id, mode, contact: contact!, type }))
    const owner = ({ message }: ConversationItem) =>
      others.find(({ provider_message_id: theirs }) => theirs === message.id || theirs === message.providerMessageId)
    const candidates = about.filter(item => match.fits(item) && !owner(item))
    const owned = new Set(about.map(owner))
    // One that says the same, went out about then, and is none of those items by its id: the candidate may be that one.
    const rival = others.find(
      other => !owned.has(other) && sameMatch(other, row) && attemptsOf(other).some(at => within(at, spans))
    )
    if (candidates.length === 1 && !rival) return candidates[0]!
    const looked = 'In the history of the conversation, from a minute before the attempt to a minute after it,'
    if (candidates.length === 0) return `${looked} nothing says the same.`
    if (candidates.length > 1) return `${looked} ${candidates.length} items say the same: it may be any of them.`
    return `${looked} one item says the same, but it may be ${rival!.id} as well.`
  }

  const eventOf = ({ message, failure }: ConversationItem): ProviderEvent => {
    const failed = message.status === 'failed'
    const why = new ServiceError('message_rejected', failure ?? 'The provider gives no reason.')
    return {
      status: failed ? 'failed' : 'accepted',
      at: Date.parse(message.createdAt),
      providerMessageId: message.providerMessageId,
      ...(failed && { error: JSON.stringify(toMessageError(why, typeBase, true)) }),
      detail:
        'Found in the provider’s history: same number, same words, within a minute of the attempt (evidence: heuristic).',
      resolution: 'reconciled'
    }
  }

  return async (caller, id) => {
    const row = await load(caller, id)
    if (row.state !== 'unknown')
      throw conflict(id, `The message ${id} is ${publicStatus(row.state)}: only an unknown one is looked for.`)
    const channel = await channels.resolve(caller, row.channel_id)
    const found = await find(row, channel)
    await store.write(function* () {
      if (typeof found === 'string') yield unknown.note({ id, entry: timelineEntry(store.clock(), row, found) })
      else yield* providerStatus.settleFromProvider(row, eventOf(found))
    })
    notifications.publish(id)
    return toMessage(await load(caller, id))
  }
}
