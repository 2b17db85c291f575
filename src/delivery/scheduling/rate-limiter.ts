import { randomInt } from 'node:crypto'
import { sql } from 'kysely'
import type { Limit } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import { first, prepare, type Store, type Unit } from '../../store/store.ts'
import { createPunctuality, type Punctuality } from './punctuality.ts'

/**
 * Slots are given away in the store, so that all replicas together keep to a limit. A limit is the instants of the last
 * calls that it allows: the next may go when the oldest of them has left the window. For the account that is the latest
 * instant at which a call may still leave, since each process tells how late it may be, and once it has left the true one.
 */
export interface RateLimiter {
  /** The account's own limit; undefined: pacing is switched off. */
  account: (mode: string) => Limit | undefined
  /** How exactly slots of the account are used. */
  punctuality: Punctuality
  /** Opens a limit for the rest of the unit: no other replica gives away a slot of it meanwhile. */
  open: (limit: Limit) => Unit<Ledger>
  /** Gives the slot away. @returns what stands for it in the log */
  book: (ledger: Ledger, at: number) => Unit<number>
  /**
   * Notes when a call left. Its slot was given away with the latest instant at which it might; the next ones need not keep
   * clear of what did not happen, so the log has the true one from the next decision of this process on.
   * @param now performance.now()
   */
  left: (permit: Permit, now: number) => void
}

/** A limit with what has been given away of it. */
export interface Ledger {
  limit: Limit
  /** The store's clock. */
  now: number
  /** performance.now() before and after that clock was read: between the two it was `now`. */
  read: { before: number; after: number }
  log: number[]
  /** The last of the log is the instant at which its call left: no lateness is in it. */
  lastLeft: boolean
}

/** No slot is given away so far ahead: an entry beyond it is of a clock that has been set back. */
const horizonMs = 10_000

/**
 * The first instant at which one more call is within the limit. As many as it allows may go at once; where the window is
 * short and half of it is used they are spread evenly, because crowds arrive less exactly than single calls.
 * @param spaced spread in any case: a long job leaves room between its calls
 * @param lateMs what was added to each instant of the log as its lateness
 */
export function earliest(
  { limit, now, log }: Pick<Ledger, 'limit' | 'now' | 'log'>,
  spaced: boolean,
  lateMs = 0
): number {
  const last = (log.at(-1) ?? 0) - lateMs
  // Not before the last that was given away, so that slots are used in the order in which they were given.
  const window = (log.at(-limit.calls) ?? 0) + limit.windowMs
  const used = log.filter(at => at > now - limit.windowMs).length
  const spread = spaced || (limit.spread && used > limit.calls / 2)
  return Math.max(now, last, window, spread ? last + limit.windowMs / limit.calls : 0)
}

export function createRateLimiter(store: Store, ratePerSecond: number, punctuality = createPunctuality()): RateLimiter {
  const { build, now } = store
  const lock = prepare<{ key: string }, { log: string; now: number }>(p =>
    build
      .insertInto('paces')
      .values({ key: p.key, log: '[]', updated_at: now })
      .onConflict(conflict => conflict.column('key').doUpdateSet({ updated_at: now }))
      .returning(['log', sql<number>`${now}`.as('now')])
  )
  const clock = prepare<object, { now: number }>(() => build.selectNoFrom(sql<number>`${now}`.as('now')))
  const write = prepare<{ key: string; log: string }, unknown>(p =>
    build.updateTable('paces').set({ log: p.log }).where('key', '=', p.key)
  )
  // A part of a second is enough for high rates, and a short log is quick to read.
  const calls = Math.min(ratePerSecond, 200)
  const windowMs = (calls / ratePerSecond) * 1000
  /** By log: what has left since its entry was written, in the store's time. */
  const departed = new Map<string, Map<number, number>>()
  /** The log with what is known better by now; what is older than its window is forgotten, the oldest first. */
  const corrected = (key: string, log: number[], now: number): Pick<Ledger, 'log' | 'lastLeft'> => {
    const known = departed.get(key)
    if (!known || known.size === 0) return { log, lastLeft: false }
    for (const entry of known.keys()) {
      if (entry >= now - 2 * windowMs - 1000) break
      known.delete(entry)
    }
    const better = log.map(entry => known.get(entry) ?? entry).sort((a, b) => a - b)
    return { log: better, lastLeft: [...known.values()].includes(better.at(-1)!) }
  }
  return {
    punctuality,
    account: mode =>
      ratePerSecond === 0
        ? undefined
        : { key: `account/${mode}`, calls, windowMs: windowMs + punctuality.wayMs(), spread: true },
    open: function* (limit) {
      let before = performance.now()
      const row = (yield* first(lock({ key: limit.key })))!
      let time = row.now
      if (store.dialect === 'postgres') {
        // The lock may have been waited for, and the clock of its statement is that of its beginning.
        before = performance.now()
        time = (yield* first(clock({})))!.now
      }
      const after = performance.now()
      let log = JSON.parse(row.log) as number[]
      if ((log.at(-1) ?? 0) > Number(time) + horizonMs) {
        log = log.map(() => Number(time))
        yield write({ key: limit.key, log: JSON.stringify(log) })
      }
      return { limit, now: Number(time), read: { before, after }, ...corrected(limit.key, log, Number(time)) }
    },
    book: function* ({ limit, log }, at) {
      // With a fraction of its own, by which it is found again among others of the same millisecond.
      let entry: number
      do entry = at + randomInt(1000) / 1000
      while (log.includes(entry) || departed.get(limit.key)?.has(entry))
      yield write({ key: limit.key, log: JSON.stringify([...log, entry].sort((a, b) => a - b).slice(-limit.calls)) })
      return entry
    },
    left: ({ slot, until }, now) => {
      if (!slot) return
      const known = departed.get(slot.key) ?? new Map<number, number>()
      departed.set(slot.key, known.set(slot.entry, Math.round((slot.entry - Math.max(until - now, 0)) * 1000) / 1000))
    }
  }
}
