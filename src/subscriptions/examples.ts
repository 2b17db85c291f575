import type { EventType } from '../../schemas/events.ts'
import { toMessage } from '../messages/view.ts'
import type { MessageRow } from '../store/schema.ts'

// What POST …/test posts: events as they could be, of a channel and people that there are not.

const at = Date.UTC(2026, 10, 20, 9, 30)
const channel = 'example'
const number = '14155550100'
const message: MessageRow = {
  ...{
    id: 'msg_019aa1b2c3d47000a1b2c3d4e5f60718',
    service: 'example',
    key_id: 'key_0',
    mode: 'test',
    channel_id: channel
  },
  ...{ provider: 'example', direction: 'outbound', contact: number, user_id: null, type: 'text' },
  ...{ content: JSON.stringify({ body: 'An example' }), options: null, state: 'accepted', final: 0, attempts: 1 },
  ...{ lane: 0, queue: '', run_at: at, lease_until: null, send_at: null, expires_at: null },
  ...{ provider_message_id: null, reference: null, metadata: null, warnings: null, error: null, resolution: null },
  ...{ resend_of: null, broadcast_id: null, traceparent: null, timeline: '', created_at: at, accepted_at: at },
  ...{ sent_at: null, delivered_at: null, read_at: null, failed_at: null, origin: null, person: null, pricing: null },
  ...{ deliver_by: null, undelivered_at: null }
}
const error = {
  ...{ type: '/errors#message_rejected', title: 'The provider refuses the message', status: 422 },
  ...{ detail: 'An example', code: 'message_rejected', outcome: 'not_sent', retryable: false }
}
const reached = { sent_at: at, delivered_at: at, read_at: at }
const states: Partial<Record<EventType, Partial<MessageRow>>> = {
  'message.received': { direction: 'inbound', state: 'received', service: '', accepted_at: null },
  'message.accepted': {},
  'message.sent': { state: 'sent', sent_at: at },
  'message.delivered': { state: 'delivered', ...reached, read_at: null },
  'message.read': { state: 'read', ...reached, final: 1 },
  'message.failed': { state: 'failed', final: 1, failed_at: at, accepted_at: null, error: JSON.stringify(error) },
  'message.unknown': { state: 'unknown', accepted_at: null },
  'message.expired': { state: 'expired', final: 1, accepted_at: null },
  'message.canceled': { state: 'canceled', final: 1, accepted_at: null },
  'message.undelivered': { state: 'sent', sent_at: at },
  'message.operator': { origin: 'operator', service: '', state: 'sent', sent_at: at }
}
const instant = new Date(at).toISOString()
const others: Partial<Record<EventType, Record<string, unknown>>> = {
  'conversation.ownership': { change: 'taken', ours: false, detail: {} },
  'template.updated': { change: 'status', name: 'example', language: 'en', value: 'approved' },
  'broadcast.finished': { id: 'brd_019aa1b2c3d47000a1b2c3d4e5f60718', channel, name: 'example', status: 'finished' },
  'connection.changed': { id: 'example', provider: 'example', status: 'failed', before: 'active', channels: [channel] },
  'channel.updated': { id: channel, change: 'paused' },
  'channel.silent': { id: channel, silentSince: instant, problem: null },
  'contact.changed': { change: 'number', before: { waId: number }, after: { waId: '14155550101' } },
  'suppression.added': { to: number, category: 'all', reason: 'An example' }
}

/** An event of a type, but for its id, its time and its mode. */
export function example(type: EventType): Record<string, unknown> {
  const state = states[type]
  const data = state ? toMessage({ ...message, ...state }) : others[type]!
  return { channel, service: 'example', sequence: 0, apiVersion: '1', data }
}
