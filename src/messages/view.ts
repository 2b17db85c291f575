import type { Message, MessageStatus } from '../../schemas/messages.ts'
import type { MessageRow, MessageState } from '../store/schema.ts'

/** `claimed` waits for its turn, so callers see it as queued. */
export const publicStatus = (state: MessageState): MessageStatus => (state === 'claimed' ? 'queued' : state)
const instant = (ms: number): string => new Date(ms).toISOString()

/** What of a row's options is shown. */
interface Shown {
  replyTo?: string
  unseen?: true
  referral?: object
  product?: object
  forwarded?: string
  groupId?: string
  standby?: true
  operator?: object
}
const told = ['replyTo', 'referral', 'product', 'forwarded', 'groupId', 'standby', 'operator'] as const

/** A row as its owner sees it. Every member is named here, so nothing else of the row can get out. */
export function toMessage(row: MessageRow): Message {
  const options = row.options === null ? {} : (JSON.parse(row.options) as Shown)
  const view: Record<string, unknown> = {
    id: row.id,
    channel: row.channel_id,
    provider: row.provider,
    mode: row.mode,
    direction: row.direction,
    // An erased person has no address: `to` is left out then, and `from` is null.
    ...(row.direction === 'inbound' ? { from: row.contact } : row.contact !== null && { to: row.contact }),
    type: row.type,
    status: publicStatus(row.state),
    final: row.final === 1,
    providerMessageId: row.provider_message_id,
    reference: row.reference,
    metadata: row.metadata === null ? null : JSON.parse(row.metadata),
    warnings: row.warnings === null ? [] : JSON.parse(row.warnings),
    attempts: row.attempts,
    createdAt: instant(row.created_at)
  }
  if (row.content !== null && !options.unseen) view[row.type] = JSON.parse(row.content)
  if (row.user_id !== null) view.userId = row.user_id
  for (const name of told) if (options[name] !== undefined) view[name] = options[name]
  if (row.origin !== null) view.origin = row.origin
  if (row.person !== null) view[row.direction === 'inbound' ? 'sender' : 'recipient'] = JSON.parse(row.person)
  if (row.pricing !== null) view.pricing = JSON.parse(row.pricing)
  if (row.error !== null) view.error = JSON.parse(row.error)
  if (row.resolution !== null) view.resolution = row.resolution
  if (row.resend_of !== null) view.resendOf = row.resend_of
  if (row.broadcast_id !== null) view.broadcastId = row.broadcast_id
  if (row.send_at !== null) view.sendAt = instant(row.send_at)
  if (row.expires_at !== null) view.expiresAt = instant(row.expires_at)
  if (row.deliver_by !== null) view.deliverBy = instant(row.deliver_by)
  if (row.undelivered_at !== null) view.undeliveredAt = instant(row.undelivered_at)
  // Providers tell whole seconds, and their word may be the only one: nothing is accepted before it was there.
  if (row.accepted_at !== null) view.acceptedAt = instant(Math.max(row.accepted_at, row.created_at))
  if (row.sent_at !== null) view.sentAt = instant(row.sent_at)
  if (row.delivered_at !== null) view.deliveredAt = instant(row.delivered_at)
  if (row.read_at !== null) view.readAt = instant(row.read_at)
  if (row.failed_at !== null) view.failedAt = instant(row.failed_at)
  return view as Message
}
