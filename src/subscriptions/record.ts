import { sql } from 'kysely'
import { redeliveryMs, retryPolicy } from '../delivery/retry-policy.ts'
import { auditEntry } from '../store/audit.ts'
import type { SubscriptionRow } from '../store/schema-subscriptions.ts'
import { change, first, type Store, type Unit } from '../store/store.ts'
import type { Attempted } from './attempt.ts'
import { type Claimed, type DeliveryQueries, locked } from './queries.ts'

/** What an attempt has made of its delivery and of the subscription. */
export interface Recorded {
  /** superseded: the lease was over, and another one has it. */
  outcome: 'delivered' | 'later' | 'given_up' | 'superseded'
  /** When it goes again. */
  nextAt?: number
  /** The subscription became something else by it. */
  became?: 'failing' | 'active' | 'disabled'
}

export interface RecordParts {
  store: Store
  queries: Pick<DeliveryQueries, 'release'>
  clock: () => number
  random: () => number
}

/** Disables a subscription in its unit; the audit log names us. */
export function* disable(
  store: Store,
  id: string,
  reason: Exclude<SubscriptionRow['disabled_reason'], null>,
  now: number
): Unit<boolean> {
  const off = store.build
    .updateTable('subscriptions')
    .set({ disabled_reason: reason, disabled_at: now })
    .where('id', '=', id)
    .where('disabled_reason', 'is', null)
  if ((yield* change(off)) === 0) return false
  yield* auditEntry(store, { keyId: 'switchboard' }, 'subscription.disabled', id, { reason })
  return true
}

/** Writes down what became of an attempt: on the delivery, in its lane, and on the subscription where it counts. */
export function createRecord({ store, queries, clock, random }: RecordParts) {
  const { build } = store
  const { pace, disable: limits, longestAskedSeconds } = retryPolicy.subscribers

  /** What a failure does to the subscription. */
  function* fail(
    row: SubscriptionRow,
    { verdict, askedSeconds, busy }: Attempted,
    now: number
  ): Unit<Recorded['became']> {
    const since = row.failing_since ?? now
    const failures = row.failures + 1
    const pausedMs = failures >= pace.failures ? pace.everyMs : 0
    const askedMs = busy ? Math.min(askedSeconds ?? 0, longestAskedSeconds) * 1000 : 0
    const resumeAt = Math.max(row.resume_at, now + Math.max(pausedMs, askedMs))
    yield build
      .updateTable('subscriptions')
      .set({ failing_since: since, failures, resume_at: pausedMs + askedMs > 0 ? resumeAt : row.resume_at })
      .where('id', '=', row.id)
      .compile()
    const reason = verdict === 'gone' ? 'gone' : now - since >= limits.afterMs ? 'failing' : undefined
    if (reason && (yield* disable(store, row.id, reason, now))) return 'disabled'
    return row.failing_since === null ? 'failing' : undefined
  }

  return function* record({ row, lease }: Claimed, attempted: Attempted): Unit<Recorded> {
    const now = clock()
    const delivered = attempted.verdict === 'delivered'
    const counts = row.kind === 'event'
    // Locked ahead of its delivery, as by everybody. A success without a lane changes nothing of it, most often.
    const needsLock = !delivered || row.lane !== null
    const subscription = needsLock ? yield* first(locked(store, row.subscription_id)) : undefined
    const waitMs =
      delivered || attempted.verdict === 'gone'
        ? undefined
        : redeliveryMs(row.attempts + 1, attempted.askedSeconds, random)
    const nextAt = waitMs === undefined ? undefined : now + waitMs
    const kept = build
      .updateTable('deliveries')
      .set({
        attempts: row.attempts + 1,
        log: sql<string>`log || ${`${JSON.stringify(attempted.attempt)}\n`}`,
        lease: null,
        ...(nextAt === undefined
          ? { state: delivered ? 'delivered' : 'failed', run_at: null, lane: null, ended_at: now }
          : { run_at: nextAt })
      })
      .where('id', '=', row.id)
      .where('lease', '=', lease)
      .where('state', '=', 'pending')
    if ((yield* change(kept)) === 0) return { outcome: 'superseded' }
    if (nextAt === undefined && row.lane !== null) yield* queries.release(row.subscription_id, row.lane, now)
    const outcome = delivered ? 'delivered' : nextAt === undefined ? 'given_up' : 'later'
    const recorded: Recorded = { outcome, ...(nextAt !== undefined && { nextAt }) }
    if (!counts) return recorded
    if (!delivered) {
      const became = subscription && (yield* fail(subscription, attempted, now))
      return { ...recorded, ...(became && { became }) }
    }
    const well = build
      .updateTable('subscriptions')
      .set({ failing_since: null, failures: 0, told: 0, resume_at: 0 })
      .where('id', '=', row.subscription_id)
      .where('failing_since', 'is not', null)
      .where('disabled_reason', 'is', null)
    return { ...recorded, ...((yield* change(well)) > 0 && { became: 'active' }) }
  }
}
