import { type RawBuilder, sql } from 'kysely'
import type { MessageError } from '../../schemas/problem.ts'
import type { MessageRow, MessageState } from '../store/schema.ts'
import { change, first as firstRow, prepare, type Store, type Unit } from '../store/store.ts'
import { doubted, type Resolution } from './doubt.ts'
import { fallbackOf, unfallen } from './fallback.ts'
import { identities } from './identities.ts'
import { messageIds } from './provider-ids.ts'
import { timelineEntry, toldBefore } from './timeline.ts'

// Every statement that moves a message to where its provider says that it is.

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

/** Each status with those it may follow. A provider that says failed and then delivered was wrong at first. */
const earlier: Record<ProviderEvent['status'], MessageState[]> = {
  accepted: ['unknown'],
  sent: ['unknown', 'accepted'],
  failed: ['unknown', 'accepted', 'sent'],
  delivered: ['unknown', 'accepted', 'sent', 'failed'],
  read: ['unknown', 'accepted', 'sent', 'failed', 'delivered']
}
/** Nothing more has to happen after these (docs/api.md 4). */
const ends: ReadonlySet<ProviderEvent['status']> = new Set(['delivered', 'read', 'failed'])

type Instants = Pick<MessageRow, 'accepted_at' | 'sent_at' | 'delivered_at' | 'read_at'>
type Told = { id: string; entry: string; provider_message_id: string | null } & Instants &
  Pick<MessageRow, 'person' | 'pricing'>

/** What is known of a person and what is told now: not every status tells all of it (docs/webhooks.md C4). */
const together = (known: string | null, told: string): string =>
  JSON.stringify({ ...(known === null ? {} : (JSON.parse(known) as object)), ...(JSON.parse(told) as object) })

/** Why it failed; where an earlier attempt may have arrived, nobody can say that nothing did. */
const whole = (row: MessageRow, error: string | undefined): string | null =>
  error === undefined || !doubted(row)
    ? (error ?? null)
    : JSON.stringify({ ...(JSON.parse(error) as MessageError), outcome: 'unknown' } satisfies MessageError)

export function createProviderStatus(store: Store): ProviderStatus {
  const { build, now } = store
  const ids = messageIds(store)
  const people = identities(store)
  /** The earlier of what is known and what is told: then the order in which it is told does not matter. */
  const first = (known: RawBuilder<unknown>, told: number | null) =>
    sql<number>`case when ${known} is null or ${known} > cast(${told} as bigint) then cast(${told} as bigint) else ${known} end`
  const text = (value: string | null) => sql<string>`cast(${value} as text)`
  const earliest = (p: Omit<Told, 'id' | 'entry'>) => ({
    provider_message_id: sql<string>`coalesce(provider_message_id, ${text(p.provider_message_id)})`,
    accepted_at: first(sql.ref('accepted_at'), p.accepted_at),
    sent_at: first(sql.ref('sent_at'), p.sent_at),
    delivered_at: first(sql.ref('delivered_at'), p.delivered_at),
    read_at: first(sql.ref('read_at'), p.read_at),
    person: sql<string>`coalesce(${text(p.person)}, person)`,
    // Told once, with the first of its statuses that has it (docs/webhooks.md C8).
    pricing: sql<string>`coalesce(pricing, ${text(p.pricing)})`
  })
  const told = (entry: string) => sql<string>`timeline || cast(${entry} as text)`
  /** What is under way: the provider may be faster with its word than with its answer, or than a second attempt. */
  const underWay = (status: ProviderEvent['status']): MessageState[] =>
    status === 'failed' ? ['sending'] : ['sending', 'queued', 'claimed']
  const advance = (status: ProviderEvent['status']) =>
    prepare<Told & Pick<MessageRow, 'error' | 'failed_at' | 'resolution'> & { attempts: number }, unknown>(p =>
      build
        .updateTable('messages')
        .set({
          ...earliest(p),
          state: status,
          final: ends.has(status) ? 1 : 0,
          lease_until: null,
          error: p.error,
          failed_at: p.failed_at,
          resolution: sql`coalesce(cast(${p.resolution} as text), resolution)`,
          timeline: told(p.entry)
        })
        .where('id', '=', p.id)
        .where(eb =>
          eb.or([
            eb('state', 'in', earlier[status]),
            eb.and([
              eb('state', 'in', underWay(status)),
              // Of one more attempt nothing has failed yet; of the first one nothing is queued any more.
              status === 'failed'
                ? eb('resolution', 'is', null)
                : eb.or([eb('state', '=', 'sending'), eb('resolution', '=', 'resent_once')])
            ])
          ])
        )
    )
  const advances = {
    accepted: advance('accepted'),
    sent: advance('sent'),
    failed: advance('failed'),
    delivered: advance('delivered'),
    read: advance('read')
  }
  /** A word that comes late: when it was is told all the same. */
  const fill = prepare<Told, unknown>(p =>
    build
      .updateTable('messages')
      .set({ ...earliest(p), timeline: told(p.entry) })
      .where('id', '=', p.id)
      .where('state', 'in', ['accepted', 'sent', 'delivered', 'read', 'failed'])
  )
  /** For the timeline alone. */
  const note = prepare<{ id: string; entry: string }, unknown>(p =>
    build
      .updateTable('messages')
      .set({ timeline: told(p.entry) })
      .where('id', '=', p.id)
  )
  type Content = Pick<MessageRow, 'type' | 'content' | 'options' | 'warnings' | 'error'>
  /** To where it waits for its fallback; as it is where its time is over. */
  const fall = prepare<{ id: string; attempts: number; entry: string } & Content, unknown>(p =>
    build
      .updateTable('messages')
      .set({
        ...{ state: 'queued', final: 0, run_at: now, lease_until: null },
        ...{ type: p.type, content: p.content, options: p.options, warnings: p.warnings, error: p.error },
        // These are the latest attempt's.
        ...{ provider_message_id: null, accepted_at: null, sent_at: null, failed_at: null, pricing: null },
        timeline: told(p.entry)
      })
      .where('id', '=', p.id)
      .where('attempts', '=', p.attempts)
      .where('state', 'in', ['sending', 'unknown', 'accepted', 'sent'])
      .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
  )
  /** Back from there, where the first attempt arrived after all. */
  const rise = prepare<{ id: string; attempts: number } & Content, unknown>(p =>
    build
      .updateTable('messages')
      .set({
        ...{ state: 'failed', final: 1, lease_until: null },
        ...{ type: p.type, content: p.content, options: p.options, warnings: p.warnings, error: p.error }
      })
      .where('id', '=', p.id)
      .where('attempts', '=', p.attempts)
      .where('state', 'in', ['queued', 'claimed'])
  )

  /** Whether the row went over to its fallback. */
  function* fallBack(row: MessageRow, event: ProviderEvent): Unit<boolean> {
    if (event.status !== 'failed' || event.error === undefined || doubted(row)) return false
    if ((JSON.parse(event.error) as MessageError).code !== 'window_closed') return false
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
    if (attempt < attempts && !open) {
      if (!toldBefore(row, status, attempt)) yield note({ id, entry })
      return false
    }
    if (yield* fallBack(row, event)) return true
    if (status === 'delivered' || status === 'read') {
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
    if (changed > 0) return true
    yield fill({ ...facts, entry: toldBefore(row, status, attempt) ? '' : entry })
    return false
  }

  /** A status may name the person in another way than the message did. */
  function* meet({ contact, person, ...place }: MessageRow, told: string): Unit<void> {
    const now = together(person, told)
    if (now === person) return
    const { waId, userId, username } = JSON.parse(now) as { waId?: string; userId?: string; username?: string }
    yield* people.link(place, { names: [contact ?? undefined, waId, userId], username })
  }

  /** The row as it is, kept from others until the unit ends. */
  const taken = prepare<{ id: string }, MessageRow>(p => {
    const query = build.selectFrom('messages').selectAll().where('id', '=', p.id)
    return store.dialect === 'postgres' ? query.forUpdate() : query
  })

  function* settleFromProvider({ id }: Pick<MessageRow, 'id'>, event: ProviderEvent): Unit<boolean> {
    const row = yield* firstRow(taken({ id }))
    if (!row) return false
    let changed = yield* move(row, event)
    if (event.person !== undefined) yield* meet(row, event.person)
    const all = event.ids ?? (event.providerMessageId === null ? [] : [event.providerMessageId])
    if (yield* adopt(row, event.attempt ?? row.attempts, all)) changed = true
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
