import type { Logger } from 'pino'
import type { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import type { Store, Unit } from '../store/store.ts'
import { createAccounts, type Limits, type Standing } from './account.ts'
import { limitHeaders, tooFast, tooMany, usedUp } from './refusals.ts'

/** The recipients of a broadcast, to be booked in the unit that accepts it. */
export interface Booking {
  /** Throws the 429 where so many are not left: nothing of the unit is kept then. */
  unit: () => Unit<void>
  /** The unit was kept. */
  kept: () => void
}

export interface Limiter extends Periodic {
  /**
   * Takes one request out of the limits of its caller, before anything is done for it. Undefined: it is let in, at once.
   * @throws 429 with Retry-After; StoreUnavailable where nobody can say what was used
   */
  take: (caller: Caller) => Promise<void> | undefined
  /** A request that was let in was refused, or was one that had been answered before: it counts for no quota. */
  giveBack: (caller: Caller) => void
  /** What an answer tells; nothing of a caller without limits. */
  headers: (caller: Caller) => Record<string, string>
  /** @param recipients all of them; the request itself counts for the first. @throws 429 where that many are known not to be left */
  book: (caller: Caller, recipients: number) => Promise<Booking | undefined>
}

/** Requests that this process may let in by itself: they are taken out of the account already. */
interface Lease {
  limits: Limits
  left: number
  /** Given back by requests that were refused: of the quota alone. */
  spare: number
  /** What the store said last, and when. */
  standing?: Standing
  readAt: number
  /** From when on what is left belongs to the account again. */
  until: number
  /** How many are taken at a time. */
  size: number
  /** Requests that wait for the lease to be renewed. */
  waiting: number
  renewing?: Promise<void>
  /** The account is empty: asked again from `until` on. */
  refused?: Refused
}
interface Refused {
  until: number
  error: () => ServiceError
}

/** What is not used so soon goes back: another replica may need it. */
const lifeMs = 1000
/** A lease that is used up faster is made larger. */
const busyMs = 100
/** The account of a quota that is used up is asked so often: a day may be given more, and others give back. */
const askMs = 1000
const forgetMs = 60_000

/** The most that a process may hold of a key: of two replicas together well below the 5 % that limits may be off by. */
const mostOf = ({ rateLimit, quota }: Limits): number => {
  const byRate = rateLimit ? Math.max(rateLimit.perSecond, rateLimit.burst) * 0.02 : Number.POSITIVE_INFINITY
  const byQuota = quota ? quota.perDay * 0.005 : Number.POSITIVE_INFINITY
  return Math.max(1, Math.floor(Math.min(byRate, byQuota)))
}

const same = (one: Limits, other: Limits): boolean =>
  one === other ||
  (one.rateLimit?.perSecond === other.rateLimit?.perSecond &&
    one.rateLimit?.burst === other.rateLimit?.burst &&
    one.quota?.perDay === other.quota?.perDay &&
    one.quota?.timeZone === other.quota?.timeZone)

export interface LimiterOptions {
  store: Store
  log: Logger
  /** A clock that nobody sets, in milliseconds. */
  now?: () => number
}

/**
 * Keeps callers to their limits. What a key has used stands in the store, and each process takes some of it in advance, so
 * that few requests cost a commit, and none is let in that the store does not know of (docs/decisions/0081-limits-are-leased.md).
 */
export function createLimiter({ store, log, now = () => performance.now() }: LimiterOptions): Limiter {
  const accounts = createAccounts(store)
  const leases = new Map<string, Lease>()

  const leaseOf = (keyId: string, limits: Limits): Lease => {
    let lease = leases.get(keyId)
    if (!lease) {
      lease = { limits, left: 0, spare: 0, readAt: 0, until: 0, size: 1, waiting: 0 }
      leases.set(keyId, lease)
    } else if (!same(lease.limits, limits)) {
      // What was taken under other limits goes back, and what they refused may be let in.
      lease.limits = limits
      lease.until = 0
      lease.size = 1
      delete lease.refused
    }
    return lease
  }

  const refusal = (limits: Limits, { nextMs, quota, day, at }: Standing, readAt: number): Refused => {
    const endsAt = readAt + day.endsAt - at
    if (quota > 0) return { until: readAt + nextMs, error: () => tooFast(limits, readAt + nextMs - now()) }
    return { until: Math.min(endsAt, readAt + askMs), error: () => usedUp(limits, endsAt - now()) }
  }

  const renew = async (keyId: string, lease: Lease): Promise<void> => {
    const { limits, standing } = lease
    const before = now()
    const stale = before < lease.until ? 0 : lease.left
    const unused = { requests: stale, quota: lease.spare, date: standing?.day.date ?? '' }
    // Handed over now: should the commit fail, it stays booked, which is the stricter of two errors.
    lease.left -= stale
    lease.spare = 0
    const most = mostOf(limits)
    if (before - lease.readAt < busyMs) lease.size = Math.min(most, lease.size * 2)
    else if (before - lease.readAt > lifeMs) lease.size = 1
    const want = Math.max(Math.min(lease.size, most), lease.waiting)
    const next = await store.write(() => accounts.take(keyId, limits, want, unused))
    lease.left += next.granted
    if (lease.limits !== limits) return
    lease.standing = next
    lease.readAt = now()
    lease.until = lease.readAt + Math.min(lifeMs, next.day.endsAt - next.at)
    if (next.burst < 1 || next.quota < 1) lease.refused = refusal(limits, next, lease.readAt)
    else delete lease.refused
  }
  const renewed = (keyId: string, lease: Lease): Promise<void> => {
    lease.renewing ??= renew(keyId, lease).finally(() => {
      delete lease.renewing
    })
    return lease.renewing
  }

  /** Waits for its part of a renewal that counts it: what has begun before it came may not have. */
  const wait = async (keyId: string, lease: Lease): Promise<void> => {
    const begun = lease.renewing
    lease.waiting++
    try {
      await begun
      if (!begun || lease.left < 1) await renewed(keyId, lease)
    } finally {
      lease.waiting--
    }
    if (lease.left < 1) throw (lease.refused ?? refusal(lease.limits, lease.standing!, lease.readAt)).error()
    lease.left--
  }

  /** Hands back what nobody used, and forgets keys that nobody uses. */
  const sweep = async (): Promise<void> => {
    for (const [keyId, lease] of leases) {
      const idle = now() - lease.until
      if (lease.renewing || idle < 0) continue
      if (lease.left + lease.spare > 0) await handBack(keyId, lease)
      else if (idle > forgetMs) leases.delete(keyId)
    }
  }
  const handBack = async (keyId: string, lease: Lease): Promise<Standing> => {
    const { limits } = lease
    const unused = { requests: lease.left, quota: lease.spare, date: lease.standing?.day.date ?? '' }
    lease.left = 0
    lease.spare = 0
    const standing = await store.write(() => accounts.take(keyId, limits, 0, unused))
    if (lease.limits === limits) Object.assign(lease, { standing, readAt: now() })
    return standing
  }
  const periodic = createPeriodic(sweep, lifeMs, log, 'what is left of limits was not handed back: it stays booked')

  return {
    start: periodic.start,
    stop: async () => {
      await periodic.stop()
      for (const lease of leases.values()) lease.until = 0
      await sweep().catch(error =>
        log.warn({ err: error }, 'what is left of limits was not handed back: it stays booked')
      )
    },
    take: ({ keyId, limits }) => {
      if (!limits) return undefined
      const lease = leaseOf(keyId, limits)
      if (lease.left > 0 && now() < lease.until) {
        lease.left--
        // Ahead of its end, so that nobody has to wait. Should it fail, the next one asks again, and is told.
        if (lease.size > 1 && lease.left <= lease.size / 4) renewed(keyId, lease).catch(() => {})
        return undefined
      }
      if (lease.refused && now() < lease.refused.until) throw lease.refused.error()
      return wait(keyId, lease)
    },
    giveBack: ({ keyId, limits }) => {
      if (!limits?.quota) return
      const lease = leaseOf(keyId, limits)
      lease.spare++
      if (lease.standing?.quota === 0) delete lease.refused
    },
    headers: ({ keyId, limits }) => {
      if (!limits) return {}
      const { standing, readAt, left, spare } = leaseOf(keyId, limits)
      return limitHeaders(limits, standing, { left, spare, elapsedMs: now() - readAt })
    },
    book: async ({ keyId, limits }, recipients) => {
      const quota = limits?.quota
      if (!quota || recipients <= 1) return undefined
      const lease = leaseOf(keyId, limits)
      // What this process has taken in advance may be the last that is left.
      const { day, at, quota: known } = await handBack(keyId, lease)
      const refuse = (left: number) => tooMany(limits, recipients, left + 1, day.endsAt - at)
      if (recipients - 1 > known) throw refuse(known)
      return {
        unit: function* () {
          const { left, booked } = yield* accounts.book(keyId, limits, recipients - 1)
          if (!booked) throw refuse(left)
        },
        kept: () => {
          if (lease.standing) lease.standing.quota = Math.max(0, lease.standing.quota - (recipients - 1))
        }
      }
    }
  }
}
