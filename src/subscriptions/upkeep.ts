import { sql } from 'kysely'
import type { Logger } from 'pino'
import { retryPolicy } from '../delivery/retry-policy.ts'
import type { Undelivered } from '../store/retention.ts'
import { change, first, type Store } from '../store/store.ts'
import { locked } from './queries.ts'

/** What has to be looked after now and then. */
export interface SubscriptionUpkeep {
  /** Tells who has been failing for long, ends what nobody will get, and deletes what is old. */
  sweep: () => Promise<void>
  /** Ends what waits for a subscription that is disabled, and for no other. */
  giveUp: (subscriptionId: string) => Promise<void>
  /** Of these places in the journal, those whose events somebody has still to get. */
  undelivered: Undelivered
}

/** Rows in one commit. */
const batch = 200
const dayMs = 24 * 3600_000

/** @param retentionDays RETENTION_DAYS; what has ended is kept for a day in any case */
export function createSubscriptionUpkeep(
  { store, log, clock }: { store: Store; log: Logger; clock: () => number },
  retentionDays: number
): SubscriptionUpkeep {
  const { build } = store
  const { told, afterMs } = retryPolicy.subscribers.disable

  const drain = async (once: () => Promise<number>): Promise<number> => {
    let sum = 0
    for (let count = batch; count === batch; sum += count) count = await once()
    return sum
  }
  /** Told once by whichever process comes first. */
  const warn = async (now: number): Promise<void> => {
    const failing = build
      .selectFrom('subscriptions')
      .select(['id', 'url', 'told', 'failing_since'])
      .where('failing_since', 'is not', null)
      .where('disabled_reason', 'is', null)
    for (const row of await store.read(failing.compile())) {
      const share = ((now - row.failing_since!) / afterMs) * 100
      const next = told.findLast(percent => share >= percent && percent > row.told)
      if (next === undefined) continue
      const mine = await store.write(() =>
        change(
          build
            .updateTable('subscriptions')
            .set({ told: next })
            .where('id', '=', row.id)
            .where('told', '=', row.told)
            .where('failing_since', '=', row.failing_since)
        )
      )
      if (mine === 0) continue
      const failingSince = new Date(row.failing_since!).toISOString()
      const disabledAt = new Date(row.failing_since! + afterMs).toISOString()
      log.warn(
        { subscription: row.id, host: new URL(row.url).host, percent: next, failingSince, disabledAt },
        'a subscriber has answered nothing but failures: its subscription will be disabled'
      )
    }
  }
  const giveUp = async (id: string): Promise<void> => {
    const ended = { state: 'failed', run_at: null, lane: null, ended_at: clock() } as const
    await drain(() =>
      store.write(function* () {
        // Enabled again meanwhile: then it waits on.
        const row = yield* first(locked(store, id))
        if (!row || row.disabled_reason === null) return 0
        const waiting = build
          .selectFrom('deliveries')
          .select('id')
          .where('subscription_id', '=', id)
          .where('state', '=', 'pending')
          .where('lease', 'is', null)
          .limit(batch)
        // A replay goes to a disabled one too, but not without its maker's rights.
        const over = row.disabled_reason === 'key_ended' ? waiting : waiting.where('kind', '=', 'event')
        return yield* change(build.updateTable('deliveries').set(ended).where('id', 'in', over))
      })
    )
  }
  /** Nobody will get what waits for them; of one that was deleted everything goes. */
  const end = async (): Promise<void> => {
    const off = build
      .selectFrom('subscriptions')
      .select(['id', 'disabled_reason'])
      .where('disabled_reason', 'is not', null)
    for (const { id, disabled_reason } of await store.read(off.compile())) {
      if (disabled_reason !== 'deleted') {
        await giveUp(id)
        continue
      }
      const rows = build.selectFrom('deliveries').select('id').where('subscription_id', '=', id).limit(batch)
      await drain(() => store.write(() => change(build.deleteFrom('deliveries').where('id', 'in', rows))))
      await store.write(() => change(build.deleteFrom('subscriptions').where('id', '=', id)))
    }
  }
  const forget = (now: number): Promise<number> => {
    const before = now - Math.max(retentionDays, 1) * dayMs
    const old = build.selectFrom('deliveries').select('id').where('ended_at', '<', before).limit(batch)
    return drain(() => store.write(() => change(build.deleteFrom('deliveries').where('id', 'in', old))))
  }

  return {
    giveUp,
    sweep: async () => {
      const now = clock()
      await warn(now)
      await end()
      const deliveries = await forget(now)
      if (deliveries > 0) log.info({ deliveries }, 'deleted deliveries that ended long ago')
    },
    undelivered: async positions => {
      if (positions.length === 0) return new Set()
      const waiting = await store.read(
        build
          .selectFrom('deliveries')
          .select('position')
          .where('position', 'in', positions)
          .where('state', '=', sql.lit('pending'))
          .compile()
      )
      // What has not been read yet for somebody may be wanted.
      const [reading] = await store.read(
        build
          .selectFrom('subscriptions')
          .select(eb => eb.fn.min('position').as('from'))
          .where('disabled_reason', 'is', null)
          .compile()
      )
      const replays = await store.read(build.selectFrom('replays').select(['position', 'until']).compile())
      const kept = new Set(waiting.map(row => Number(row.position)))
      const from = reading?.from === null || reading?.from === undefined ? undefined : Number(reading.from)
      for (const position of positions)
        if (
          (from !== undefined && position > from) ||
          replays.some(each => position > Number(each.position) && position <= Number(each.until))
        )
          kept.add(position)
      return kept
    }
  }
}
