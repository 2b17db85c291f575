import { randomInt } from 'node:crypto'
import { sql } from 'kysely'
import type { Limit } from '../../adapters/adapter.ts'
import type { Answer, Permit, Slot } from '../../dispatch/admission.ts'
import { first, prepare, type Store, type Unit } from '../../store/store.ts'
import { createPunctuality, type Punctuality } from './punctuality.ts'
import { createQuickest, type Quickest } from './quickest.ts'

/**
 * Slots are given away in the store, so that all replicas together keep to a limit. A limit is the instants of the last
 * calls that it allows: the next may go when the oldest of them has left the window. For the account that is the latest
 * instant at which a call can reach it, beyond the way of the quickest: at first the latest at which it may still leave and
 * the most that it may lose on its way, then when it has left, and then how soon its answer came.
 */
export interface RateLimiter {
  /** The account's own limit; undefined: pacing is switched off. */
  account: (mode: string) => Limit | undefined
  /** How exactly slots of the account are used. */
  punctuality: Punctuality
  /** Milliseconds by which what is booked for an account lies behind its slot. */
  bookedMs: (key: string) => number
  /** Opens a limit for the rest of the unit: no other replica gives away a slot of it meanwhile. */
  open: (limit: Limit) => Unit<Ledger>
  /** Gives a slot away at an instant of the store's, which may be used for so many milliseconds more. */
  book: (ledger: Ledger, at: number, lateMs: number) => Unit<Slot>
  /**
   * Notes when a call left. Its slot was given away with the latest instant at which it might; the next ones need not keep
   * clear of what did not happen, so the log has the true one from the next decision of this process on. Where it had to
   * wait for its connection all the same, the last word counts.
   * @param now performance.now()
   */
  left: (permit: Permit, now: number) => void
  /**
   * Notes that a call was answered. One whose answer took no longer than the quickest of its kind lost no time on its way,
   * and the next ones need not keep clear of that either. Of a slower one nobody can tell where it waited: at most the
   * difference is kept clear of. The first ten of a process may have lost as much as they took.
   * @param now performance.now()
   */
  answered: (permit: Permit, answer: Answer, now: number) => void
}

/** A limit with what has been given away of it. */
export interface Ledger {
  limit: Limit
  /** The store's clock. */
  now: number
  /** performance.now() before and after that clock was read: between the two it was `now`. */
  read: { before: number; after: number }
  log: number[]
  /** When the last of them leaves, or has left. */
  last: number
}

/** Milliseconds that a call may lose on its way while a process has no ten answers: code runs for the first time then, on both sides. */
const firstWayMs = 100
/** The most that one of those calls counts as having lost once it is answered. */
const mostWayMs = 500
/** Answers that make a process one that knows its way. */
const enough = 10
/** Milliseconds left between two windows where other processes have slots: their way may be longer than ours, or shorter. */
const othersMs = 16
/** Milliseconds from which on a call that leaves once more is looked for in the log: its entry may have been dropped. */
const longMs = 100

const accountKey = (mode: string): string => `account/${mode}`
/** The mode whose account a limit is of; undefined: it is a provider's. */
const modeOf = (key: string): string | undefined =>
  key.startsWith(accountKey('')) ? key.slice(accountKey('').length) : undefined

/** No slot is given away so far ahead: an entry beyond it is of a clock that has been set back. */
const horizonMs = 10_000

/** The share of an even spacing that lies between two calls at least: with all of it, one late call would make all that follow late. */
const spreadShare = 0.9

/**
 * The first instant at which one more call is within the limit. As many as it allows may go at once; where the window is
 * short and half of it is used they are spread, because crowds arrive less exactly than single calls.
 * @param spaced spread in any case: a long job leaves room between its calls
 */
export function earliest(
  { limit, now, log, last }: Pick<Ledger, 'limit' | 'now' | 'log' | 'last'>,
  spaced: boolean
): number {
  const window = (log.at(-limit.calls) ?? 0) + limit.windowMs
  const used = log.filter(at => at > now - limit.windowMs).length
  const spread = spaced || (limit.spread && used > limit.calls / 2)
  // Not before the last that was given away, so that slots are used in the order in which they were given.
  return Math.max(now, last, window, spread ? last + (spreadShare * limit.windowMs) / limit.calls : 0)
}

const reaches = ({ at, lateMs, wayMs }: Slot): number => Math.round((at + lateMs + wayMs) * 1000) / 1000

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
  /** By log and what stands in it for a call: the slots of this process. */
  const own = new Map<string, Map<number, Slot>>()
  /** Slots of calls that left long after they had been thought to. */
  const late = new Set<Slot>()
  const answers = new Map<string, number>()
  const quickest = new Map<string, Quickest>()
  /** Milliseconds that a call may lose on its way while nothing better is known of it. */
  const wayMs = (key: string): number => ((answers.get(key) ?? 0) < enough ? firstWayMs : punctuality.wayMs())
  const bookedMs = (key: string): number => punctuality.lateMs() + wayMs(key)
  /** What is older than its window is forgotten, the oldest first. */
  const forget = (known: Map<number, Slot>): void => {
    const since = performance.now() - 2 * windowMs - 1000
    for (const [entry, { bookedAt, leftAt = bookedAt }] of known) {
      if (leftAt >= since) return
      known.delete(entry)
    }
  }
  /** The log with what is known better by now, and the limit with its wider window where others have slots in it. */
  const corrected = (limit: Limit, log: number[], now: number): Pick<Ledger, 'limit' | 'log' | 'last'> => {
    const mode = modeOf(limit.key)
    // A provider's own limits are those of people and numbers: there are too many of them to remember, and they are wide.
    if (mode === undefined) return { limit, log, last: log.at(-1) ?? 0 }
    const known = own.get(limit.key) ?? new Map<number, Slot>()
    forget(known)
    let last = 0
    let others = false
    const missing = new Set([...late].filter(slot => slot.key === limit.key))
    const better = log.map(entry => {
      const slot = known.get(entry)
      if (!slot) {
        others ||= entry > now - limit.windowMs
        last = Math.max(last, entry - bookedMs(limit.key))
        return entry
      }
      missing.delete(slot)
      const at = reaches(slot)
      last = Math.max(last, slot.at)
      // By what stands for it now, it is found again when that is in the store.
      if (at !== entry) known.set(at, slot)
      return at
    })
    for (const slot of missing) {
      if (reaches(slot) > now - limit.windowMs) {
        better.push(reaches(slot))
        known.set(reaches(slot), slot)
        last = Math.max(last, slot.at)
      } else late.delete(slot)
    }
    const missedMs = others ? Math.max(0, othersMs - punctuality.spareMs(mode)) : 0
    return { limit: { ...limit, windowMs: limit.windowMs + missedMs }, log: better.sort((a, b) => a - b), last }
  }
  return {
    punctuality,
    bookedMs,
    account: mode =>
      ratePerSecond === 0
        ? undefined
        : { key: accountKey(mode), calls, windowMs: windowMs + punctuality.spareMs(mode), spread: true },
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
      return { now: Number(time), read: { before, after }, ...corrected(limit, log, Number(time)) }
    },
    book: function* ({ limit: { key, calls }, log }, at, lateMs) {
      const known = own.get(key) ?? new Map<number, Slot>()
      const ofAccount = modeOf(key) !== undefined
      if (ofAccount) own.set(key, known)
      const onItsWay = ofAccount ? wayMs(key) : 0
      // With a fraction of its own, by which it is found again among others of the same millisecond.
      let entry: number
      do entry = at + lateMs + onItsWay + randomInt(1000) / 1000
      while (log.includes(entry) || known.has(entry))
      yield write({ key, log: JSON.stringify([...log, entry].sort((a, b) => a - b).slice(-calls)) })
      const slot: Slot = {
        ...{ key, entry, at: entry - lateMs - onItsWay, lateMs, wayMs: onItsWay },
        ...{ until: entry - onItsWay, bookedAt: performance.now() }
      }
      known.set(entry, slot)
      return slot
    },
    left: ({ slot, until }, now) => {
      if (!slot) return
      if (slot.leftAt !== undefined && now - slot.leftAt > longMs) late.add(slot)
      slot.at = slot.until - (until - now)
      slot.lateMs = 0
      slot.leftAt = now
    },
    answered: ({ slot }, { kind, ok }, now) => {
      if (slot?.leftAt === undefined || slot.answered) return
      slot.answered = true
      const tookMs = now - slot.leftAt
      const count = answers.get(slot.key) ?? 0
      answers.set(slot.key, count + 1)
      const usual = quickest.get(`${slot.key} ${kind}`) ?? createQuickest()
      quickest.set(`${slot.key} ${kind}`, usual)
      const leastMs = usual.value()
      if (ok) usual.note(tookMs)
      if (count < enough) slot.wayMs = Math.min(tookMs, mostWayMs)
      else if (leastMs !== undefined) slot.wayMs = Math.min(slot.wayMs, Math.max(tookMs - leastMs, 0))
    }
  }
}
