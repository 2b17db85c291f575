import type { Message } from '../../../schemas/messages.ts'
import type { ResolveMessage } from '../../../schemas/unknown.ts'
import type { Caller } from '../../keys/caller.ts'
import type { Resolution } from '../../messages/doubt.ts'
import { loader } from '../../messages/reads.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { publicStatus, toMessage } from '../../messages/view.ts'
import { auditEntry } from '../../store/audit.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, type Unit } from '../../store/store.ts'
import { changedMeanwhile, conflict, type ResendParts, requestOf, requireResendable, requireRisk } from './resend.ts'

/** The caller settles what nobody knows. */
export type Resolve = (
  caller: Caller,
  id: string,
  body: ResolveMessage,
  request: { requestId: string; traceparent?: string }
) => Promise<{
  message: Message
  /** Where the message lies, or the one that was made in its place. */
  location: string
}>

export function createResolve(parts: ResendParts): Resolve {
  const { store, queries, unknown, messages, accept, notifications, sleepers } = parts
  const load = loader(store, queries)

  /** What was asked for, with its audit entry; throws where the message has been settled since it was read. */
  const close = (caller: Caller, row: MessageRow, body: ResolveMessage, made?: MessageRow) =>
    function* (): Unit<void> {
      const { id, attempts } = row
      const by = `${body.verdict} by ${caller.keyId}`
      const confirmed = body.verdict === 'confirm_sent'
      const resolution: Resolution = made ? 'resent' : 'abandoned'
      const detail = made ? `${by}: sent anew as ${made.id}` : by
      const entry = timelineEntry(store.clock(), { state: confirmed ? 'accepted' : 'unknown', attempts }, detail)
      const query = confirmed
        ? unknown.confirm({ id, at: store.clock(), entry })
        : unknown.close({ id, resolution, entry })
      if ((yield* change(query)) === 0) throw changedMeanwhile(id)
      yield* auditEntry(store, caller, 'message.resolved', id, {
        verdict: body.verdict,
        ...(made && { as: made.id })
      })
    }

  return async (caller, id, body, request) => {
    const row = await load(caller, id)
    if (row.state !== 'unknown' || row.final === 1) {
      const state = row.state === 'unknown' ? 'unknown for good' : publicStatus(row.state)
      throw conflict(id, `The message ${id} is ${state}: only one that is unknown and not final can be resolved.`)
    }
    let location = `/messages/${id}`
    if (body.verdict === 'resend') {
      requireRisk(body.acceptDuplicateRisk)
      requireResendable(row, sleepers, store.clock())
      const acceptRow = async () => {
        const taken = await accept({ ...caller, service: row.service }, requestOf(row), request.traceparent)
        return { ...taken, row: { ...taken.row, resend_of: id } }
      }
      const rests = (made: MessageRow) => close(caller, row, body, made)()
      const path = `/messages/${id}/resolve`
      // Its Idempotency-Key stands for the act, which is done once as a whole.
      const { requestId, traceparent } = request
      const options = { requestId, waitMs: 0, ...(traceparent !== undefined && { traceparent }) }
      const sent = await messages.submit(caller, { path, body, acceptRow, rests }, options)
      location = sent.headers.location!
    } else await store.write(close(caller, row, body))
    notifications.publish(id)
    return { message: toMessage(await load(caller, id)), location }
  }
}
