import type { Mode } from '../../../schemas/common.ts'
import { ServiceError } from '../../errors.ts'
import { createLaneCount } from '../../messages/lane-count.ts'
import type { Store } from '../../store/store.ts'

/**
 * Whether `count` more messages of a caller's service may wait; throws a 503 `overloaded` where they may not. Asked
 * before a row exists. It reads the store when it must: for the first message of a service, and near the limit.
 */
export type BacklogLimit = (service: string, mode: Mode, count: number) => Promise<void>

interface Tally {
  /** How many waited when they were last counted. */
  counted: number
  /** When that count began, by performance.now(), and how long it took. */
  at: number
  took: number
  /** Let in since, many at once: a broadcast, all of which waits. */
  many: number
  /** Let in since one by one. Most of these are sent at once, so they are a reason to count again and not to refuse. */
  single: number
  /** The count that runs. */
  counting?: Promise<void> | undefined
}

/** A count is believed this long, or fifty times as long as it took. */
const believeMs = 1000
/** Not counted again within this, even at the limit: or a flood would be one of counts. */
const leastMs = 200
/** What a refused caller is told to wait. */
const retryAfterSeconds = 5

/**
 * Counts what waits along the index of the lines, which begin with mode, lane and service. True but for a moment: over
 * the limit get at most the requests of `leastMs` and those between this look and their row, and what other replicas
 * let in within `believeMs`; refused wrongly are at most as many as left the queue within `leastMs`.
 */
export function createBacklogLimit(store: Store, limit: number): BacklogLimit {
  const countLane = createLaneCount(store)

  const count = async (service: string, mode: Mode, tally: Tally): Promise<void> => {
    const begun = performance.now()
    const { many, single } = tally
    tally.counted = (await countLane(`${mode}/0/${service}/`)) + (await countLane(`${mode}/1/${service}/`))
    tally.at = begun
    tally.took = performance.now() - begun
    // Messages that were let in while it ran may have been missed.
    tally.many -= many
    tally.single -= single
  }

  const tallies = new Map<string, Tally>()
  return async (service, mode, wanted) => {
    const key = `${mode}/${service}`
    let tally = tallies.get(key)
    if (!tally) tallies.set(key, (tally = { counted: 0, at: Number.NEGATIVE_INFINITY, took: 0, many: 0, single: 0 }))
    const age = performance.now() - tally.at
    const near = tally.counted + tally.many + tally.single + wanted > limit
    if (age > (near ? leastMs : Math.max(believeMs, 50 * tally.took))) {
      tally.counting ??= count(service, mode, tally).finally(() => {
        tally.counting = undefined
      })
      // In the background where it cannot change the answer: what is in hand is not kept waiting for it.
      if (near || age === Number.POSITIVE_INFINITY) await tally.counting
      else tally.counting.catch(() => {})
    }
    if (tally.counted + tally.many + wanted > limit)
      throw new ServiceError('overloaded', `Too many messages of ${service} wait already. Nothing was kept.`, {
        retryAfterSeconds
      })
    if (wanted > 1) tally.many += wanted
    else tally.single += 1
  }
}
