import type { SendMessage } from '../../../schemas/messages.ts'
import { invalid, ServiceError } from '../../errors.ts'
import type { Caller } from '../../keys/caller.ts'
import { type Sleepers, safeFrom, type UnknownQueries } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { loader } from '../../messages/reads.ts'
import { optionsOf } from '../../messages/row.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { publicStatus } from '../../messages/view.ts'
import { auditEntry } from '../../store/audit.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, type Store, type Unit } from '../../store/store.ts'
import { type Accept, requireRights } from '../intake/accept.ts'
import type { Messages, SendOptions, Sent } from '../intake/submit.ts'

export interface ResendParts {
  store: Store
  queries: MessageQueries
  unknown: UnknownQueries
  messages: Messages
  accept: Accept
  notifications: Notifications
  sleepers: Sleepers
}

/** A message sent anew, as another one with `resendOf`: the same content, and the rights of now. */
export type Resend = (
  caller: Caller,
  id: string,
  body: { acceptDuplicateRisk?: boolean },
  options: SendOptions
) => Promise<Sent>

/** The request that would make this message now. */
export const requestOf = (row: MessageRow): SendMessage => {
  const { channels = [], requestId: _, ...options } = optionsOf(row)
  return {
    ...options,
    channel: channels.length > 0 ? [row.channel_id, ...channels] : row.channel_id,
    to: row.contact!,
    type: row.type,
    [row.type]: JSON.parse(row.content!),
    ...(row.reference !== null && { reference: row.reference }),
    ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) })
  } as unknown as SendMessage
}

export const conflict = (id: string, detail: string, retryAfterSeconds?: number): ServiceError =>
  new ServiceError('conflict', detail, {
    messageId: id,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds })
  })

export function requireRisk(accepted: boolean | undefined): void {
  if (accepted !== true)
    throw invalid('/acceptDuplicateRisk', 'must be true: nobody knows whether it arrived, so it may arrive twice')
}

/** Throws where the content is gone, or a process that only sleeps may still send it (docs/reliability.md 3.1 rule 8). */
export function requireResendable(
  row: Pick<MessageRow, 'id' | 'content' | 'timeline'>,
  sleepers: Sleepers,
  now: number
): void {
  if (row.content === null)
    throw conflict(row.id, `The content of the message ${row.id} is not kept any more: send it as a new one.`)
  const seconds = Math.ceil((safeFrom(row, sleepers) - now) / 1000)
  if (seconds > 0)
    throw conflict(
      row.id,
      `Whoever was sending the message ${row.id} may only be asleep: try again in ${seconds} s.`,
      seconds
    )
}

export const changedMeanwhile = (id: string): ServiceError =>
  conflict(id, `The message ${id} has been settled meanwhile: read it again.`)

const again = new Set(['failed', 'expired', 'canceled'])

export function createResend(parts: ResendParts): Resend {
  const { store, queries, unknown, messages, accept, notifications, sleepers } = parts
  const load = loader(store, queries)

  const judge = (row: MessageRow, accepted: boolean | undefined, replaces: string | undefined): void => {
    const { id } = row
    if (row.direction === 'inbound') throw conflict(id, `The message ${id} was received: it cannot be sent again.`)
    if (row.origin === 'operator') throw conflict(id, `Somebody else sent the message ${id}: it cannot be sent again.`)
    if (row.state === 'unknown') {
      requireRisk(accepted)
      if (row.resolution === 'resent' && !replaces) throw conflict(id, `The message ${id} has been sent anew already.`)
    } else if (!again.has(row.state)) {
      const words = 'only one that failed, expired, was canceled or is unknown can be sent again'
      throw conflict(id, `The message ${id} is ${publicStatus(row.state)}: ${words}.`)
    }
    requireResendable(row, sleepers, store.clock())
  }

  return async (caller, id, body, options) => {
    let original: MessageRow | undefined
    const acceptRow = async (replaces?: string) => {
      original = await load(caller, id)
      judge(original, body.acceptDuplicateRisk, replaces)
      // It stays with the service whose message it was, whoever asks.
      const taken = await accept({ ...caller, service: original.service }, requestOf(original), options.traceparent)
      return { ...taken, row: { ...taken.row, resend_of: id } }
    }
    const rights = async () => requireRights(caller, requestOf(await load(caller, id)))
    const rests = function* (made: MessageRow): Unit<void> {
      if (original?.state !== 'unknown') return
      const entry = timelineEntry(store.clock(), original, `sent anew as ${made.id} by ${caller.keyId}`)
      if ((yield* change(unknown.supersede({ id, entry }))) === 0) throw changedMeanwhile(id)
      yield* auditEntry(store, caller, 'message.resent', id, { as: made.id })
    }
    const sent = await messages.submit(
      caller,
      { path: `/messages/${id}/resend`, body, acceptRow, rights, rests },
      options
    )
    notifications.publish(id)
    return sent
  }
}
