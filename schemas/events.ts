import type { Mode } from './common.ts'

/** Every type of event (docs/api.md 12). Of `message.*` those with the name of a status are that status. */
export const eventTypes = [
  'message.received',
  'message.accepted',
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.unknown',
  'message.expired',
  'message.canceled',
  'message.undelivered',
  'message.operator',
  'conversation.ownership',
  'template.updated',
  'broadcast.finished',
  'connection.changed',
  'channel.updated',
  'channel.silent',
  'contact.changed',
  'suppression.added'
] as const
export type EventType = (typeof eventTypes)[number]

/** Something that has changed, as its readers get it: the same in GET /events, in the stream and in a delivery. */
export interface SwitchboardEvent {
  /** Also a place in the journal: ids ascend in the order of the events. */
  id: string
  type: EventType
  at: string
  mode: Mode
  /** Null for what concerns no channel. */
  channel: string | null
  /** Whose message or broadcast it is; absent for what belongs to a channel. */
  service?: string
  /** Rises from event to event, so also per contact and channel. */
  sequence: number
  apiVersion: string
  /** What the GET of the thing told at that moment. */
  data: Record<string, unknown>
}
