import { sql } from 'kysely'
import type { Mode } from '../../../schemas/common.ts'
import type { CallFacts, Limit } from '../../adapters/adapter.ts'
import { blockKey, blockQueries } from '../../messages/blocks.ts'
import type { MessageRow } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import { earliest, type RateLimiter } from './rate-limiter.ts'
import type { Scheduler } from './scheduler.ts'

/** How long a message would wait for its turn now, and why. */
export interface WaitEstimate {
  /** Calls of the account that may go this moment; null: nothing is paced. */
  available: number | null
  /** Messages and calls that wait for a turn, up to a thousand. */
  waiting: number
  /** Milliseconds until one more message would go; null: until somebody lifts what stands in the way. */
  waitMs: number | null
  /** Until when the provider or the account asked us to wait. */
  throttledUntil: number | null
}

/** @param call what is to be sent, where it is about one message: limits of its type and its recipient count then */
export type WaitEstimator = (
  channel: string,
  mode: Mode,
  call?: { type?: string; to?: string }
) => Promise<WaitEstimate>

export interface WaitEstimateParts {
  store: Store
  rateLimiter: RateLimiter
  scheduler: Scheduler
  /** The provider's own limits that a call counts against. */
  limitsOf: (channel: { id: string; mode: Mode }, call: Partial<CallFacts>) => Limit[]
}

const many = 1000

export function createWaitEstimate({ store, rateLimiter, scheduler, limitsOf }: WaitEstimateParts): WaitEstimator {
  const { build, now } = store
  const blocks = blockQueries(store)
  const log = prepare<{ key: string }, { log: string | null; now: number }>(p =>
    build.selectNoFrom(eb => [
      eb.selectFrom('paces').select('log').where('key', '=', p.key).as('log'),
      sql<number>`${now}`.as('now')
    ])
  )
  const queued = prepare<{ from: string; to: string }, Pick<MessageRow, 'channel_id' | 'type' | 'contact'>>(p =>
    build
      .selectFrom('messages')
      .select(['channel_id', 'type', 'contact'])
      .where(sql<boolean>`state = 'queued'`)
      .where('queue', '>=', p.from)
      .where('queue', '<', p.to)
      .where('run_at', '<=', now)
      .limit(many)
  )
  return async (channel, mode, { type, to } = {}) => {
    const limit = rateLimiter.account(mode)
    const [row] = await store.read(log({ key: limit?.key ?? '' }))
    const keys = {
      hold: blockKey.hold,
      account: blockKey.account(mode),
      channel: blockKey.channel(channel),
      breaker: blockKey.breaker(mode, channel),
      throttle: blockKey.throttle(mode, channel),
      recipient: to === undefined ? '' : blockKey.recipient(mode, channel, to),
      broadcast: ''
    }
    const standing = await store.read(blocks.of(keys))
    const rows = await store.read(queued({ from: `${mode}/0/`, to: `${mode}/00` }))
    const waiting = Math.min(rows.length + scheduler.waiting(mode), many)
    const time = Number(row!.now)
    const untils = standing.map(({ until }) => until)
    const held = Math.max(time, ...untils.map(until => until ?? 0))
    const past = JSON.parse(row!.log ?? '[]') as number[]
    const last = (past.at(-1) ?? 0) - (limit ? rateLimiter.bookedMs(limit.key) : 0)
    const free = limit ? earliest({ limit, now: time, log: past, last }, false) : time
    const limitsOfSend = (id: string, type?: string, to?: string | null): Limit[] =>
      limitsOf({ id, mode }, { operation: 'sendMessage', ...(type && { type }), ...(to && { to }) })
    // A send passes the provider's own windows as well, whichever of them is the tightest, behind all that waits for the same.
    const own = limitsOfSend(channel, type, to)
    const ahead = new Map<string, number>()
    for (const each of own.length > 0 ? rows : [])
      for (const { key } of limitsOfSend(each.channel_id, each.type, each.contact))
        ahead.set(key, (ahead.get(key) ?? 0) + 1)
    const frees = await Promise.all(
      own.map(async each => {
        const [slots] = await store.read(log({ key: each.key }))
        const known = JSON.parse(slots?.log ?? '[]') as number[]
        const next = earliest({ limit: each, now: time, log: known, last: known.at(-1) ?? 0 }, false)
        return next + ((ahead.get(each.key) ?? 0) * each.windowMs) / each.calls
      })
    )
    const each = limit ? limit.windowMs / limit.calls : 0
    return {
      available: limit ? limit.calls - past.filter(at => at > time - limit.windowMs).length : null,
      waiting,
      waitMs: untils.includes(null) ? null : Math.max(held, free + waiting * each, ...frees) - time,
      throttledUntil: held > time ? held : null
    }
  }
}
