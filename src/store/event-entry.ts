import { randomBytes } from 'node:crypto'
import { type CompiledQuery, sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import type { EventType } from '../../schemas/events.ts'
import { type Store, storableJson } from './store.ts'

/** What an event that is not of a message's state says. */
export interface NewEvent {
  type: EventType
  mode: Mode
  /** Null: it concerns no channel. */
  channel: string | null
  /** Whose thing it is; absent: it belongs to the channel. */
  service?: string
  /** The person that it is about: digits or a user id. Erasing the person deletes the event by it. */
  contact?: string
  /** What the GET of the thing tells now. No secret. */
  data: object
}

/**
 * The entry that goes into the same unit as the change it tells of. For everything but the states of messages, whose
 * events are written by the very statements that change them.
 */
export function eventEntry(
  store: Store,
  { type, mode, channel, service = '', contact, data }: NewEvent
): CompiledQuery {
  const next = sql<number>`max(coalesce((select max(position) from events), 0) + 1, ${store.now} * 1000)`
  return store.build
    .insertInto('events')
    .values({
      position: store.dialect === 'sqlite' ? next : null,
      nonce: randomBytes(9).toString('hex'),
      type,
      at: store.now,
      mode,
      channel_id: channel,
      service,
      contact: contact ?? null,
      message_id: null,
      data: storableJson(data)
    })
    .compile()
}
