import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { retryPolicy } from '../delivery/retry-policy.ts'
import type { JournalEvent } from '../events/index.ts'
import { newId } from '../ids.ts'
import type { DeliveryRow, SubscriptionRow } from '../store/schema-subscriptions.ts'
import { all, first, type Store, type Unit } from '../store/store.ts'

/** A subscription's row, which nobody else changes until the unit ends. */
export const locked = (store: Store, id: string) => {
  const row = store.build.selectFrom('subscriptions').selectAll().where('id', '=', id)
  return store.dialect === 'postgres' ? row.forUpdate() : row
}

/** A delivery in hand, until its lease ends. */
export interface Claimed {
  row: DeliveryRow
  subscription: SubscriptionRow
  lease: string
}

/** Rows in one statement. */
const batch = 100

/** What is delivered to whom: the rows that both the journal's follower and the deliverer work on. */
export interface DeliveryQueries {
  /**
   * Inside a unit that has locked the subscription: makes the deliveries of some events. In an ordered one each waits for
   * those of its contact before it.
   * @param replay which replay they belong to; they wait for those of the same replay alone
   */
  make: (subscription: SubscriptionRow, events: readonly JournalEvent[], now: number, replay?: string) => Unit<void>
  /** Inside a unit: takes what is due, as far as the subscription may have so much in flight, and says for how long. */
  claim: (subscriptionId: string, now: number, lease: string) => Unit<Claimed[]>
  /** Inside a unit that has locked the subscription: the next of a lane goes. */
  release: (subscriptionId: string, lane: string, now: number) => Unit<void>
  /** The subscriptions of which something is due. */
  due: (now: number) => Promise<string[]>
  /** When something is due next, as far as is known. */
  nextDue: (now: number) => Promise<number | undefined>
  /** At the start of the only process: nobody holds a lease any more. */
  endLeases: (now: number) => Promise<void>
}

export function deliveryQueries(store: Store): DeliveryQueries {
  const { build } = store
  const { inFlight, leaseMs } = retryPolicy.subscribers
  // In so many words: SQLite uses an index of some rows only where the text says which they are.
  const pending = (subscriptionId: string) =>
    build.selectFrom('deliveries').where('subscription_id', '=', subscriptionId).where('state', '=', sql.lit('pending'))

  const make: DeliveryQueries['make'] = function* (subscription, events, now, replay) {
    const laneOf = ({ contact }: JournalEvent): string | null =>
      subscription.ordered === 0 || contact === null
        ? null
        : createHash('sha256')
            .update(`${subscription.id}\n${replay ?? ''}\n${contact}`)
            .digest('base64url')
            .slice(0, 22)
    const rows = events.map(
      (event): DeliveryRow => ({
        id: newId('dlv'),
        subscription_id: subscription.id,
        position: event.head.position,
        event_id: event.event.id,
        type: event.event.type,
        kind: replay === undefined ? 'event' : 'replay',
        lane: laneOf(event),
        state: 'pending',
        run_at: now,
        lease: null,
        attempts: 0,
        log: '',
        created_at: now,
        ended_at: null
      })
    )
    const lanes = [...new Set(rows.flatMap(row => row.lane ?? []))]
    const busy = new Set<string | null>()
    for (let i = 0; i < lanes.length; i += batch)
      for (const { lane } of yield* all(
        pending(subscription.id)
          .select('lane')
          .distinct()
          .where('lane', 'in', lanes.slice(i, i + batch))
      ))
        busy.add(lane)
    for (const row of rows) {
      if (row.lane === null) continue
      if (busy.has(row.lane)) row.run_at = null
      busy.add(row.lane)
    }
    for (let i = 0; i < rows.length; i += batch)
      yield build
        .insertInto('deliveries')
        .values(rows.slice(i, i + batch))
        .compile()
  }

  const dueOf = (subscriptionId: string, kind: DeliveryRow['kind'], now: number) =>
    pending(subscriptionId)
      .select('id')
      .where('kind', '=', sql.lit(kind))
      .where('run_at', '<=', now)
      .orderBy('run_at')
      .orderBy('id')

  return {
    make,
    claim: function* (subscriptionId, now, lease) {
      const subscription = yield* first(locked(store, subscriptionId))
      if (!subscription || subscription.resume_at > now) return []
      const held = build
        .selectFrom('deliveries')
        .select(['kind', eb => eb.fn.countAll<number>().as('n')])
        .where('subscription_id', '=', subscriptionId)
        .where('lease', 'is not', null)
        .where('run_at', '>', now)
        .groupBy('kind')
      const inHand = yield* all(held)
      const most = subscription.failing_since === null ? inFlight.most : inFlight.failing
      const left = most - inHand.reduce((sum, { n }) => sum + Number(n), 0)
      if (left <= 0) return []
      // What happens now goes ahead of what is sent once more, of which one goes at a time all the same.
      const replays = yield* all(dueOf(subscriptionId, 'replay', now).limit(left))
      const kept = replays.length > 0 && !inHand.some(({ kind }) => kind === 'replay') ? 1 : 0
      const events =
        subscription.disabled_reason === null && left > kept
          ? yield* all(dueOf(subscriptionId, 'event', now).limit(left - kept))
          : []
      const ids = [...events, ...replays.slice(0, left - events.length)].map(row => row.id)
      if (ids.length === 0) return []
      const taken = build
        .updateTable('deliveries')
        .set({ lease, run_at: now + leaseMs })
        .where('id', 'in', ids)
      const rows = yield* all(taken.returningAll())
      return rows.map(row => ({ row, subscription, lease }))
    },
    release: function* (subscriptionId, lane, now) {
      const next = pending(subscriptionId)
        .select('id')
        .where('lane', '=', lane)
        .orderBy('position')
        .orderBy('id')
        .limit(1)
      yield build
        .updateTable('deliveries')
        .set({ run_at: now })
        .where('id', '=', eb => eb.parens(next as never) as never)
        .where('run_at', 'is', null)
        .compile()
    },
    due: async now => {
      const waits = (kind: DeliveryRow['kind']) =>
        sql<boolean>`exists (select 1 from deliveries d where d.subscription_id = s.id and d.state = 'pending'
          and d.run_at is not null and d.kind = ${sql.lit(kind)} and d.run_at <= ${now})`
      const rows = build
        .selectFrom('subscriptions as s')
        .select('s.id')
        .where('s.resume_at', '<=', now)
        .where(eb => eb.or([eb.and([eb('s.disabled_reason', 'is', null), waits('event')]), waits('replay')]))
      return (await store.read(rows.compile())).map(row => row.id)
    },
    nextDue: async now => {
      const soonest = (kind: DeliveryRow['kind']) =>
        sql<
          number | null
        >`(select min(d.run_at) from deliveries d where d.subscription_id = s.id and d.state = 'pending'
          and d.run_at is not null and d.kind = ${sql.lit(kind)} and d.run_at > ${now})`
      const rows = await store.read(
        build
          .selectFrom('subscriptions as s')
          .select(['s.resume_at', 's.disabled_reason', soonest('event').as('event'), soonest('replay').as('replay')])
          .compile()
      )
      const times = rows.flatMap(row => [
        ...(row.resume_at > now ? [row.resume_at] : []),
        ...(row.event !== null && row.disabled_reason === null ? [Number(row.event)] : []),
        ...(row.replay !== null ? [Number(row.replay)] : [])
      ])
      return times.length === 0 ? undefined : Math.min(...times)
    },
    endLeases: async now => {
      await store.write(function* () {
        yield build.updateTable('deliveries').set({ lease: null, run_at: now }).where('lease', 'is not', null).compile()
      })
    }
  }
}
