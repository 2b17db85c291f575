import type { MessageError } from '../../schemas/problem.ts'
import { isUserId } from '../phone.ts'
import type { MessageRow } from '../store/schema.ts'
import { change, first as firstRow, prepare, type Store, type Unit } from '../store/store.ts'
import { doubted, type Resolution } from './doubt.ts'
import { blindId, isErased, withoutWords } from './erased.ts'
import { fallbackOf, unfallen } from './fallback.ts'
import { identities } from './identities.ts'
import { messageIds } from './provider-ids.ts'
import { timelineEntry, told, toldBefore } from './timeline.ts'
import { providerTransitions } from './transitions/provider.ts'

/** What the provider says of a message that was handed to it: in a webhook, or in its own history. */
export interface ProviderEvent {
  status: 'accepted' | 'sent' | 'delivered' | 'read' | 'failed'
  /** When it came to that, by the provider's clock, in milliseconds. */
  at: number
  /** Null where the provider does not name it. */
  providerMessageId: string | null
  /** All ids that it was told under. */
  ids?: string[]
  /** Of which attempt it is told; absent: the latest. */
  attempt?: number
  /** Of a failed one: the problem as JSON (MessageError). */
  error?: string
  /** For the timeline: where this was learnt, and how sure it is. */
  detail: string
  resolution?: Resolution
  /** The recipient as the provider names the person, and what it says of the price, as JSON. */
  person?: string
  pricing?: string
}

export interface ProviderStatus {
  /**
   * Inside a unit: moves a message to where the provider says that it is, from unknown and onward, never back
   * (docs/reliability.md P5, P38). Of events in any order, and however often, the end is the same. What is told of an earlier
   * attempt than the latest is only written down. A window that turns out closed brings the fallback, once.
   * @returns whether the status changed
   */
  settleFromProvider: (row: Pick<MessageRow, 'id'>, event: ProviderEvent) => Unit<boolean>
  /**
   * Inside a unit: these ids name this attempt of the message from now on, and what was told under them before has its
   * effect.
   * @returns whether the status changed
   */
  adopt: (row: Pick<MessageRow, 'id' | 'channel_id' | 'mode'>, attempt: number, ids: readonly string[]) => Unit<boolean>
}

/** What is known of a person and what is told now: not every status tells all of it (docs/webhooks.md C4). */
const together = (known: string | null, told: string): string => {
  if (known === null) return told
  // Mostly what is told stands there word for word.
  if (known.includes(told.slice(1, -1))) return known
  return JSON.stringify({ ...(JSON.parse(known) as object), ...(JSON.parse(told) as object) })
}

/** Why it failed; where an earlier attempt may have arrived, nobody can say that nothing did. */
const whole = (row: MessageRow, error: string | undefined): string | null =>
  error === undefined || !doubted(row)
    ? (error ?? null)
    : JSON.stringify({ ...(JSON.parse(error) as MessageError), outcome: 'unknown' } satisfies MessageError)

export function createProviderStatus(store: Store): ProviderStatus {
  const { build } = store
  const ids = messageIds(store)
  const people = identities(store)
  /** For the timeline alone. */
  const note = prepare<{ id: string; entry: string }, unknown>(p =>
    build
      .updateTable('messages')
      .set({ timeline: told(p.entry) })
      .where('id', '=', p.id)
  )
  const reachedSomebody = prepare<{ id: string }, unknown>(p =>
    build.updateTable('broadcasts').set({ status: 'finished' }).where('id', '=', p.id).where('status', '=', 'failed')
  )
  const { advances, fill, fall, rise } = providerTransitions(store)

  /** Whether the row went over to its fallback. */
  function* fallBack(row: MessageRow, event: ProviderEvent): Unit<boolean> {
    if (event.status !== 'failed' || event.error === undefined || doubted(row)) return false
    if ((JSON.parse(event.error) as MessageError).code !== 'window_closed') return false
    // Its number is somebody else's by now (src/messages/changing-hands.ts).
    if (row.user_id !== null && row.contact !== null && !isUserId(row.contact)) return false
    const next = fallbackOf({ ...row, error: event.error })
    if (!next) return false
    const entry =
      timelineEntry(store.clock(), { state: 'failed', attempts: row.attempts }, event.detail) +
      timelineEntry(store.clock(), { state: 'queued', attempts: row.attempts }, next.detail)
    return (yield* change(fall({ ...next.row, entry }))) > 0
  }

  function* move(row: MessageRow, event: ProviderEvent): Unit<boolean> {
    const { id, attempts } = row
    const { status, at, providerMessageId, error, detail, resolution, person, pricing } = event
    const attempt = event.attempt ?? attempts
    const entry = timelineEntry(store.clock(), { state: status, attempts: attempt }, detail)
    const open = row.state === 'unknown' || ((row.state === 'queued' || row.state === 'claimed') && doubted(row))
    const arrived = status === 'delivered' || status === 'read'
    if (attempt < attempts) {
      const before = toldBefore(row, status, attempt)
      // That an earlier attempt failed says nothing of a later one in doubt, nor does what was told of it already.
      const says = arrived || (status !== 'failed' && !before)
      if (!open || !says) {
        if (!before) yield note({ id, entry })
        return false
      }
    }
    if (yield* fallBack(row, event)) return true
    if (arrived) {
      const before = unfallen(row)
      if (before) yield rise({ ...before, attempts })
    }
    const failed = status === 'failed'
    const facts = {
      ...{ id, entry, provider_message_id: providerMessageId },
      ...{ person: person === undefined ? null : together(row.person, person), pricing: pricing ?? null },
      accepted_at: failed ? null : at,
      sent_at: status === 'sent' ? at : null,
      delivered_at: status === 'delivered' ? at : null,
      read_at: status === 'read' ? at : null
    }
    const outcome = { error: failed ? whole(row, error) : null, failed_at: failed ? at : null }
    const changed = yield* change(advances[status]({ ...facts, ...outcome, attempts, resolution: resolution ?? null }))
    if (changed > 0) {
      // One that has reached somebody after all has not failed as a whole (docs/decisions/0050).
      if (row.state === 'failed' && row.broadcast_id !== null) yield reachedSomebody({ id: row.broadcast_id })
      return true
    }
    const known = toldBefore(row, status, attempt)
    const filled = yield* change(fill({ ...facts, entry: known ? '' : entry }))
    // What it has come to stands; the timeline keeps everything.
    if (filled === 0 && !known) yield note({ id, entry })
    return false
  }

  /** A status may name the person in another way than the message did. */
  function* meet({ contact, person, created_at, ...place }: MessageRow, told: string): Unit<void> {
    const now = together(person, told)
    if (now === person) return
    const { waId, userId, username } = JSON.parse(now) as { waId?: string; userId?: string; username?: string }
    // It went to that number then: whose it is by now is another matter.
    yield* people.link(place, { names: [contact ?? undefined, waId, userId], username }, { at: created_at })
  }

  /** The row as it is, kept from others until the unit ends. */
  const taken = prepare<{ id: string }, MessageRow>(p => {
    const query = build.selectFrom('messages').selectAll().where('id', '=', p.id)
    return store.dialect === 'postgres' ? query.forUpdate() : query
  })

  function* settleFromProvider({ id }: Pick<MessageRow, 'id'>, event: ProviderEvent): Unit<boolean> {
    const row = yield* firstRow(taken({ id }))
    if (!row) return false
    if (isErased(row)) return yield* settleErased(row, event)
    let changed = yield* move(row, event)
    if (event.person !== undefined) yield* meet(row, event.person)
    const all = event.ids ?? (event.providerMessageId === null ? [] : [event.providerMessageId])
    if (yield* adopt(row, event.attempt ?? row.attempts, all)) changed = true
    return changed
  }

  /** What becomes of it is told, and nothing of whom it was to: that was erased. */
  function* settleErased(
    row: MessageRow,
    { status, at, attempt, error, detail: words, ids: told = [], providerMessageId }: ProviderEvent
  ) {
    const known = providerMessageId === null ? told : [providerMessageId, ...told]
    // Of a failure the provider's own words are a part.
    const detail = status === 'failed' ? 'The provider says that it failed.' : words
    const event = {
      status,
      at,
      providerMessageId: null,
      detail,
      ...(error !== undefined && { error: withoutWords(error) })
    }
    const changed = yield* move(row, { ...event, ...(attempt !== undefined && { attempt }) })
    yield* ids.link(row, { id: row.id, attempt: attempt ?? row.attempts }, [...new Set(known.map(blindId))])
    return changed
  }

  function* adopt(
    { id, channel_id, mode }: Pick<MessageRow, 'id' | 'channel_id' | 'mode'>,
    attempt: number,
    known: readonly string[]
  ): Unit<boolean> {
    let changed = false
    for (const { event } of yield* ids.link({ channel_id, mode }, { id, attempt }, known)) {
      if (yield* settleFromProvider({ id }, { ...event, attempt })) changed = true
    }
    return changed
  }

  return { settleFromProvider, adopt }
}

/** Which attempt an event is of that names a message by our own id alone, under ids that nobody knew (see onUnknown). */
export const attemptOf = (row: MessageRow): number =>
  doubted(row) && row.provider_message_id !== null && row.provider_message_id !== row.id
    ? row.attempts - 1
    : row.attempts
