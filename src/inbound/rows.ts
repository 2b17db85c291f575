import type { CompiledQuery } from 'kysely'
import type { HeardFile, HeardInbound, HeardOutgoing, Person } from '../adapters/adapter.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { newId } from '../ids.ts'
import { messageIds } from '../messages/provider-ids.ts'
import { messageTransitions } from '../messages/transitions/message.ts'
import type { MessageRow } from '../store/schema.ts'
import { all, type Store, storableJson, type Unit } from '../store/store.ts'
import type { Place } from './effects.ts'

// What somebody else wrote, as a row of the messages: the person's to us, and an operator's to the person.

/** Remembers a file that the provider has: its id, what has to be written for it, and the name that it is shown under. */
export type FileKeeper = (
  channel: DispatchChannel,
  file: HeardFile,
  /** When it came, in milliseconds. */
  at: number
) => { id: string; query: CompiledQuery; filename?: string }

/** A person in the words of the API. */
export const shownPerson = ({ phone, waId = phone, userId, username, name }: Person) => ({
  waId,
  userId,
  username,
  name
})

/** A person as a row keeps one; undefined where nothing is known. */
export function personJson(person: Person): string | undefined {
  const text = storableJson(shownPerson(person))
  return text === '{}' ? undefined : text
}

type Said = Pick<HeardInbound, 'message' | 'at'> & Pick<HeardOutgoing, 'operator'>

export interface InboundRows {
  inbound: (heard: HeardInbound, place: Place) => Unit<MessageRow>
  operators: (heard: HeardOutgoing, place: Place) => Unit<MessageRow>
}

export function createRows(store: Store, keepFile: FileKeeper): InboundRows {
  const ids = messageIds(store)
  const { insertHeard } = messageTransitions(store)

  /** Our id of a message that the provider names, where it is known here; else the provider's. */
  function* named(providerId: string, { channel: { mode }, siblings }: Place): Unit<string> {
    const [known] = yield* all(ids.find(mode, siblings, [providerId]))
    return known?.message_id ?? providerId
  }

  /** What it says, with ids of ours in place of the provider's wherever there are any. */
  function* said(
    { message, operator, at }: Said,
    place: Place
  ): Unit<Pick<MessageRow, 'type' | 'content' | 'options'>> {
    const { type, file, target, replyTo, referral, product, forwarded, groupId, standby } = message
    let content = message.content as Record<string, unknown>
    if (file) {
      const { id: mediaId, query, filename } = keepFile(place.channel, file, at ?? place.receivedAt)
      yield query
      const named = (said: object) => ({ mediaId, ...said, ...('filename' in said && { filename }) })
      const inner = type === 'edit' ? (content.type as string) : undefined
      content = inner ? { ...content, [inner]: named(content[inner] as object) } : named(content)
    }
    if (target !== undefined) content = { ...content, messageId: yield* named(target, place) }
    const options = {
      ...(replyTo !== undefined && { replyTo: yield* named(replyTo, place) }),
      ...(referral && { referral }),
      ...(product && { product }),
      ...(forwarded && { forwarded }),
      ...(groupId && { groupId }),
      ...(standby && { standby }),
      ...(operator && Object.keys(operator).length > 0 && { operator })
    }
    const some = Object.keys(options).length > 0
    return { type, content: storableJson(content), options: some ? storableJson(options) : null }
  }

  function* insert(
    heard: HeardInbound | HeardOutgoing,
    person: Person,
    place: Place,
    more: Pick<MessageRow, 'direction' | 'state' | 'final' | 'attempts'> & Partial<MessageRow>
  ): Unit<MessageRow> {
    const { channel } = place
    const now = store.clock()
    const row: MessageRow = {
      id: newId('msg', now),
      // Of no service of ours: it belongs to the channel.
      ...{ service: '', key_id: '', mode: channel.mode, channel_id: channel.id, provider: channel.provider },
      ...{ contact: person.phone ?? null, user_id: person.userId ?? null },
      ...(yield* said(heard, place)),
      ...{ lane: 0, queue: '', run_at: now, lease_until: null, send_at: null, expires_at: null },
      provider_message_id: heard.ids[0] ?? null,
      ...{ reference: null, metadata: null, warnings: null, error: null, resolution: null, resend_of: null },
      ...{ broadcast_id: null, traceparent: null, timeline: '' },
      // A clock that is ahead must not make a message of tomorrow.
      created_at: Math.min(heard.at ?? place.receivedAt, now),
      ...{ accepted_at: null, sent_at: null, delivered_at: null, read_at: null, failed_at: null },
      ...{ origin: null, person: personJson(person) ?? null, pricing: null, deliver_by: null, undelivered_at: null },
      ...more
    }
    yield insertHeard(row)
    return row
  }

  return {
    inbound: (heard, place) =>
      insert(heard, heard.sender, place, { direction: 'inbound', state: 'received', final: 1, attempts: 0 }),
    operators: (heard, place) => {
      const at = Math.min(heard.at ?? place.receivedAt, store.clock())
      const state = { direction: 'outbound', state: 'sent', final: 0, attempts: 1 } as const
      return insert(heard, heard.recipient, place, { ...state, origin: 'operator', accepted_at: at, sent_at: at })
    }
  }
}
