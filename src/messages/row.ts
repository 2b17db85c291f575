import type { ContentByType, MessageType } from '../../schemas/content.ts'
import type { SendMessage } from '../../schemas/messages.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { isUserId } from '../phone.ts'
import type { MessageRow } from '../store/schema.ts'
import { queueOf } from './queue.ts'

/** What a row keeps beside its content: for sending it again, and for where to go on after a refusal. */
export interface RowOptions {
  replyTo?: string
  /** The request that made it. */
  requestId?: string
  providerOptions?: Record<string, Record<string, unknown> | undefined>
  /** Channels that have not been tried. */
  channels?: string[]
  /** Sent instead where the 24-hour window is closed. */
  fallback?: { template: ContentByType['template'] }
  /** May be sent once more where nobody knows whether it arrived; `resolution` of the row says when that is used up. */
  onUnknown?: 'resend_once'
  /** What the fallback took the place of. */
  before?: { type: string; content: string | null }
  /** A one-time code that goes to whoever said stop as well (docs/api.md 12). */
  ignoreSuppression?: true
  /** The confirmation of a person's stop, which that does not stop. */
  answers?: 'opt_out'
  /** Answers leave the content out (RETENTION_DAYS=0): as they are before it is dropped, so they stay. */
  unseen?: true
}

export const optionsOf = (row: MessageRow): RowOptions => (row.options === null ? {} : JSON.parse(row.options))
/** The options as the row keeps them; null where there are none. */
export const keepOptions = (options: RowOptions): string | null => {
  const text = JSON.stringify(options)
  return text === '{}' ? null : text
}

/** A message as far as sending it goes; made from a request or, later, from its row. */
export interface Draft<T extends MessageType = MessageType> {
  id: string
  service: string
  to: string
  type: T
  content: ContentByType[T]
  replyTo?: string
  providerOptions?: Record<string, Record<string, unknown> | undefined>
}

/** A message is given up after this, where the caller says nothing. */
export const day = 24 * 3600_000

/** The row of a request, before anything has been done for it; `now` by the store's clock, which judges when it is due. */
export const newRow = (
  now: number,
  caller: Caller,
  body: SendMessage,
  channel: DispatchChannel,
  to: string,
  traceparent: string | undefined,
  rest: string[] = [],
  requestId?: string
): MessageRow => {
  const { replyTo, providerOptions, fallback, onUnknown, ignoreSuppression } = body
  const { sendAt, expiresAt, deliverBy, reference, metadata } = body
  const options = {
    replyTo,
    providerOptions,
    fallback,
    ...(requestId !== undefined && { requestId }),
    ...(rest.length > 0 && { channels: rest }),
    ...(onUnknown === 'resend_once' && { onUnknown }),
    ...(ignoreSuppression === true && { ignoreSuppression })
  }
  const due = sendAt === undefined ? null : Date.parse(sendAt)
  return {
    id: newId('msg', now),
    service: caller.service,
    key_id: caller.keyId,
    mode: caller.mode,
    channel_id: channel.id,
    provider: channel.provider,
    direction: 'outbound',
    contact: to,
    user_id: isUserId(to) ? to : null,
    type: body.type,
    content: JSON.stringify((body as unknown as Record<string, unknown>)[body.type]),
    options: keepOptions(options),
    state: 'queued',
    final: 0,
    attempts: 0,
    lane: 0,
    queue: queueOf({ ...caller, lane: 0, channel_id: channel.id, broadcast_id: null }),
    run_at: due ?? now,
    lease_until: null,
    send_at: due,
    expires_at: expiresAt === undefined ? Math.max(due ?? 0, now) + day : Date.parse(expiresAt),
    provider_message_id: null,
    reference: reference ?? null,
    metadata: metadata === undefined ? null : JSON.stringify(metadata),
    warnings: null,
    error: null,
    resolution: null,
    resend_of: null,
    broadcast_id: null,
    traceparent: traceparent ?? null,
    timeline: '',
    created_at: now,
    accepted_at: null,
    sent_at: null,
    delivered_at: null,
    read_at: null,
    failed_at: null,
    origin: null,
    person: null,
    pricing: null,
    deliver_by: deliverBy === undefined ? null : Date.parse(deliverBy),
    undelivered_at: null
  }
}

/** A message as the preparation wants it, from the request that made it. */
export const toDraft = (row: MessageRow, body: SendMessage): Draft => ({
  id: row.id,
  service: row.service,
  to: row.contact!,
  type: body.type,
  content: (body as unknown as Record<string, unknown>)[body.type] as never,
  ...(body.replyTo !== undefined && { replyTo: body.replyTo }),
  ...(body.providerOptions && { providerOptions: body.providerOptions })
})

/** A message as the preparation wants it, from its row: it has waited. */
export const draftOf = (row: MessageRow): Draft => {
  const { replyTo, providerOptions } = optionsOf(row)
  return {
    id: row.id,
    service: row.service,
    to: row.contact!,
    type: row.type as Draft['type'],
    content: JSON.parse(row.content ?? 'null'),
    ...(replyTo !== undefined && { replyTo }),
    ...(providerOptions && { providerOptions })
  }
}
