import type { LimitRow } from '../store/schema-keys.ts'
import { first, type Store, type Unit } from '../store/store.ts'
import { type Day, dayOf } from './days.ts'

// What a key has used of its limits, in the store, for all replicas. Whoever changes it holds its row.

/** What a key may do. An absent limit is none. */
export interface Limits {
  /** Requests: `perSecond` in the long run, `burst` at once. */
  rateLimit?: { perSecond: number; burst: number }
  /** Requests of a day of the time zone; a broadcast counts its recipients. */
  quota?: { perDay: number; timeZone?: string }
}

/** What is handed back unused with the next change. */
export interface Unused {
  requests: number
  /** Of the quota alone, on the day that it was booked for. */
  quota: number
  date: string
}

/** How a key stands after a change of its account, or after none where nothing was granted. */
export interface Standing {
  granted: number
  /** Requests that may come at once, not counting what was granted; infinite without a rate. */
  burst: number
  /** Milliseconds until the next request may come beside them; 0 where it may now. */
  nextMs: number
  /** What is left of the day, not counting what was granted; infinite without a quota. */
  quota: number
  day: Day
  /** When the account was read. */
  at: number
}

const million = 1_000_000
/** Further ahead than replicas' clocks are apart: the clock was set back since. */
const setBackMs = 5000
/** No time zone is further ahead of another: a date that is was counted by a clock that was wrong. */
const aheadMs = 2 * 86_400_000
export const timeZoneOf = ({ quota }: Limits): string => quota?.timeZone ?? 'UTC'

/** The date that is counted on: that of the account, where it is the later one and can be right. */
const laterDate = (row: LimitRow, day: Day, at: number): string =>
  day.date < row.date && Date.parse(row.date) <= at + aheadMs ? row.date : day.date

/** @param keyId whose account it is: a key's or an identity's id */
export function createAccounts(store: Store) {
  const { build } = store
  /** The row, held until the unit ends. */
  function* hold(keyId: string): Unit<LimitRow> {
    const at = store.clock()
    const fresh: LimitRow = { key_id: keyId, level: null, at, date: '', used: 0 }
    const insert = build.insertInto('key_limits').values(fresh)
    const held = insert.onConflict(conflict => conflict.column('key_id').doUpdateSet({ key_id: keyId })).returningAll()
    return (yield* first(held))!
  }
  const save = ({ key_id, ...row }: LimitRow) => build.updateTable('key_limits').set(row).where('key_id', '=', key_id)

  /** The account as it is now: the burst has filled up since, and a new day has begun, where it has. */
  const now = (row: LimitRow, limits: Limits, unused: Unused, at: number, day: Day) => {
    // The clock of a replica may be a moment behind: neither time nor the date goes back.
    const date = laterDate(row, day, at)
    const used = date === row.date ? row.used : 0
    const handed = unused.date === date ? unused.requests + unused.quota : 0
    const { perSecond, burst } = limits.rateLimit ?? { perSecond: 0, burst: 0 }
    const full = burst * million
    const gained = Math.max(0, at - row.at) * perSecond * 1000 + unused.requests * million
    const level = row.level === null ? full : Math.min(full, Math.floor(row.level + gained))
    return { date, used: Math.max(0, used - handed), level }
  }

  return {
    /** Takes up to `want` requests out of the account. */
    take: function* (keyId: string, limits: Limits, want: number, unused: Unused): Unit<Standing> {
      const row = yield* hold(keyId)
      const at = store.clock()
      const day = dayOf(timeZoneOf(limits), at)
      const { date, used, level } = now(row, limits, unused, at, day)
      const burst = limits.rateLimit ? Math.floor(level / million) : Number.POSITIVE_INFINITY
      const quota = limits.quota ? Math.max(0, limits.quota.perDay - used) : Number.POSITIVE_INFINITY
      const granted = Math.min(want, burst, quota)
      yield save({
        key_id: keyId,
        level: limits.rateLimit ? level - granted * million : null,
        at: row.at > at + setBackMs ? at : Math.max(at, row.at),
        date,
        used: limits.quota ? used + granted : used
      }).compile()
      const missing = limits.rateLimit ? Math.max(0, million - (level - granted * million)) : 0
      const nextMs = Math.ceil(missing / ((limits.rateLimit?.perSecond ?? 1) * 1000))
      return { granted, burst: burst - granted, nextMs, quota: quota - granted, day, at }
    },

    /** Books `count` of the quota, or nothing where so much is not left. Answers what was left before, and whether it was booked. */
    book: function* (keyId: string, limits: Limits, count: number): Unit<{ left: number; booked: boolean }> {
      const row = yield* hold(keyId)
      const at = store.clock()
      const date = laterDate(row, dayOf(timeZoneOf(limits), at), at)
      const used = date === row.date ? row.used : 0
      const left = Math.max(0, limits.quota!.perDay - used)
      if (count > left) return { left, booked: false }
      yield save({ ...row, date, used: used + count }).compile()
      return { left, booked: true }
    }
  }
}
export type Accounts = ReturnType<typeof createAccounts>
