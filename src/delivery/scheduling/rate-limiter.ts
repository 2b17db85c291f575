import { randomInt } from 'node:crypto'
import { sql } from 'kysely'
import type { Limit } from '../../adapters/adapter.ts'
import type { Permit, Slot } from '../../dispatch/admission.ts'
import { first, prepare, type Store, type Unit } from '../../store/store.ts'
import { createPunctuality, type Punctuality } from './punctuality.ts'
import { createQuickest, type Quickest } from './quickest.ts'

/**
 * Slots are given away in the store, so that all replicas together keep to a limit. A limit is the instants of the last
 * calls that it allows: the next may go when the oldest of them has left the window. For the account that is the latest
 * instant at which a call can reach it: at first the latest at which it may still leave and the most that the way takes,
 * then when it has left, and then how soon its answer came.
 */
export interface RateLimiter {
  /** The account's own limit; undefined: pacing is switched off. */
  account: (mode: string) => Limit | undefined
  /** How exactly slots of the account are used. */
  punctuality: Punctuality
  /** Opens a limit for the rest of the unit: no other replica gives away a slot of it meanwhile. */
  open: (limit: Limit) => Unit<Ledger>
  /** Gives a slot away that may be used until `latest`, in the store's time. */
  book: (ledger: Ledger, latest: number) => Unit<Slot>
  /**
   * Notes when a call left. Its slot was given away with the latest instant at which it might; the next ones need not keep
   * clear of what did not happen, so the log has the true one from the next decision of this process on. Where it had to
   * wait for its connection all the same, the last word counts.
   * @param now performance.now()
   */
  left: (permit: Permit, now: number) => void
  /**
   * Notes that a call was answered. One whose answer took no longer than the quickest lost no time on its way, and the
   * next ones need not keep clear of that either; of a slow one nobody can tell where it waited, so that it changes nothing.
   * The first ten may have waited on the way for as long as they took.
   * @param now performance.now()
   */
  arrived: (permit: Permit, now: number) => void
}

/** A limit with what has been given away of it. */
export interface Ledger {
  limit: Limit
  /** The store's clock. */
  now: number
  /** performance.now() before and after that clock was read: between the two it was `now`. */
  read: { before: number; after: number }
  log: number[]
  /** Milliseconds in the last of the log for its lateness and its way: it leaves, or has left, so much earlier. */
  lastSpareMs: number
}

/** A call that has left: `at` in the store's time, and the milliseconds that it may have taken to the account. */
interface Departure {
  at: number
  wayMs: number
  /** performance.now() */
  left: number
}

/** Milliseconds that the first calls of a process may be on their way while they have no answer, and at most. */
const unusualWayMs = 100
const mostWayMs = 500

const accountKey = (mode: string): string => `account/${mode}`
const ofAccount = (key: string): boolean => key.startsWith(accountKey(''))

/** No slot is given away so far ahead: an entry beyond it is of a clock that has been set back. */
const horizonMs = 10_000

/** The share of an even spacing that lies between two calls at least: with all of it, one late call would make all that follow late. */
const spreadShare = 0.9

/**
 * The first instant at which one more call is within the limit. As many as it allows may go at once; where the window is
 * short and half of it is used they are spread evenly, because crowds arrive less exactly than single calls.
 * @param spaced spread in any case: a long job leaves room between its calls
 */
export function earliest(
  { limit, now, log, lastSpareMs }: Pick<Ledger, 'limit' | 'now' | 'log' | 'lastSpareMs'>,
  spaced: boolean
): number {
  const last = (log.at(-1) ?? 0) - lastSpareMs
  // Not before the last that was given away, so that slots are used in the order in which they were given.
  const window = (log.at(-limit.calls) ?? 0) + limit.windowMs
  const used = log.filter(at => at > now - limit.windowMs).length
  const spread = spaced || (limit.spread && used > limit.calls / 2)
  return Math.max(now, last, window, spread ? last + (spreadShare * limit.windowMs) / limit.calls : 0)
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
  /** By log and what stands in it for a call: those that have left of late. */
  const departed = new Map<string, Map<number, Departure>>()
  const quickest = new Map<string, Quickest>()
  /** Milliseconds that a call may be on its way while nothing better is known of it. */
  const wayMs = (key: string): number => (quickest.get(key)?.value() === undefined ? unusualWayMs : punctuality.wayMs())
  const reaches = ({ at, wayMs }: Departure): number => Math.round((at + wayMs) * 1000) / 1000
  /** The log with what is known better by now; what is older than its window is forgotten, the oldest first. */
  const corrected = (key: string, log: number[], now: number): Pick<Ledger, 'log' | 'lastSpareMs'> => {
    const unknownMs = ofAccount(key) ? punctuality.lateMs() + wayMs(key) : 0
    const known = departed.get(key)
    if (!known || known.size === 0) return { log, lastSpareMs: unknownMs }
    for (const entry of known.keys()) {
      if (entry >= now - 2 * windowMs - 1000) break
      known.delete(entry)
    }
    const better = log
      .map(entry => {
        const departure = known.get(entry)
        if (!departure) return entry
        const at = reaches(departure)
        // By what stands for it now, it is found again when that is in the store.
        if (at !== entry) known.set(at, departure)
        return at
      })
      .sort((a, b) => a - b)
    return { log: better, lastSpareMs: known.get(better.at(-1)!)?.wayMs ?? unknownMs }
  }
  return {
    punctuality,
    account: mode =>
      ratePerSecond === 0
        ? undefined
        : { key: accountKey(mode), calls, windowMs: windowMs + punctuality.spareMs(), spread: true },
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
    book: function* ({ limit: { key, calls }, log }, latest) {
      const onItsWay = ofAccount(key) ? wayMs(key) : 0
      // With a fraction of its own, by which it is found again among others of the same millisecond.
      let entry: number
      do entry = latest + onItsWay + randomInt(1000) / 1000
      while (log.includes(entry) || departed.get(key)?.has(entry))
      yield write({ key, log: JSON.stringify([...log, entry].sort((a, b) => a - b).slice(-calls)) })
      return { key, entry, wayMs: onItsWay }
    },
    left: ({ slot, until }, now) => {
      if (!slot) return
      const { key, entry, wayMs } = slot
      const known = departed.get(key) ?? new Map<number, Departure>()
      departed.set(key, known)
      // The one that is known already may stand in the log by another name.
      const departure = known.get(entry) ?? { at: 0, wayMs, left: 0 }
      departure.at = entry - wayMs - (until - now)
      departure.left = now
      known.set(entry, departure)
    },
    arrived: ({ slot }, now) => {
      const departure = slot && departed.get(slot.key)?.get(slot.entry)
      if (!departure) return
      const tookMs = now - departure.left
      const usual = quickest.get(slot.key) ?? createQuickest()
      quickest.set(slot.key, usual)
      const leastMs = usual.value()
      usual.note(tookMs)
      // Of the first ones nobody knows what is usual: they may have arrived at any time before their answer.
      departure.wayMs =
        leastMs === undefined ? Math.min(tookMs, mostWayMs) : Math.min(departure.wayMs, Math.max(tookMs - leastMs, 0))
    }
  }
}
