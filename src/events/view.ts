import type { SwitchboardEvent } from '../../schemas/events.ts'
import { optionsOf } from '../messages/row.ts'
import { toMessage } from '../messages/view.ts'
import type { MessageRow } from '../store/schema.ts'
import type { EventRow } from '../store/schema-events.ts'

/** The version of the events' form: raised when a reader of today could not read them any more. */
const apiVersion = '1'

/** An event with its place. */
export type NumberedEvent = EventRow & { position: number }

/** Fourteen digits hold every place, so that ids ascend as text too. */
const placeText = (position: number): string => `evt_${position.toString(16).padStart(14, '0')}`
export const eventId = ({ position, nonce }: NumberedEvent): string => placeText(position) + nonce
/** A place in the journal where no event needs to be: what `nextCursor` tells. */
export const toCursor = (position: number): string => `${placeText(position)}${'0'.repeat(18)}`
/** The place that an event's id or a cursor names; undefined: it is neither. */
export function placeOf(text: string): number | undefined {
  const [, digits] = /^evt_([0-9a-f]{14})[0-9a-f]{18}$/.exec(text) ?? []
  const position = Number.parseInt(digits ?? '', 16)
  return Number.isSafeInteger(position) ? position : undefined
}

/** What a row holds only while its state lasts: a snapshot that does not name it says that it was null. */
const lasting: Partial<MessageRow> = {
  ...{ provider_message_id: null, warnings: null, error: null, resolution: null, pricing: null },
  ...{ accepted_at: null, sent_at: null, delivered_at: null, read_at: null, failed_at: null, expires_at: null },
  undelivered_at: null
}

/** The row as it was when the event was written. Content and person are as they are now: what was erased is not told. */
function rowThen(event: NumberedEvent, row: MessageRow): MessageRow {
  const then: MessageRow = { ...row, ...lasting, ...(JSON.parse(event.data) as Partial<MessageRow>) }
  then.channel_id = event.channel_id!
  if (then.type === row.type) return then
  // A fallback has taken the place of what this event is about.
  const { before } = optionsOf(row)
  return { ...then, content: before?.type === then.type ? before.content : null }
}

/** @param row the message that it is about, if it is about one */
export function toEvent(event: NumberedEvent, row: MessageRow | undefined): SwitchboardEvent {
  const { position, type, at, mode, channel_id, service } = event
  return {
    id: eventId(event),
    type,
    at: new Date(at).toISOString(),
    mode,
    channel: channel_id,
    ...(service !== '' && { service }),
    sequence: position,
    apiVersion,
    data: row ? { ...toMessage(rowThen(event, row)) } : (JSON.parse(event.data) as Record<string, unknown>)
  }
}
