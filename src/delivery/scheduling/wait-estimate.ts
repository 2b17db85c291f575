import { sql } from 'kysely'
import type { Mode } from '../../../schemas/common.ts'
import { blockKey, blockQueries } from '../../messages/blocks.ts'
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

export interface WaitEstimateParts {
  store: Store
  rateLimiter: RateLimiter
  scheduler: Scheduler
}

const many = 1000

export function createWaitEstimate({
  store,
  rateLimiter,
  scheduler
}: WaitEstimateParts): (channel: string, mode: Mode) => Promise<WaitEstimate> {
  const { build, now } = store
  const blocks = blockQueries(store)
  const log = prepare<{ key: string }, { log: string | null; now: number }>(p =>
    build.selectNoFrom(eb => [
      eb.selectFrom('paces').select('log').where('key', '=', p.key).as('log'),
      sql<number>`${now}`.as('now')
    ])
  )
  const queued = prepare<{ from: string; to: string }, { id: string }>(p =>
    build
      .selectFrom('messages')
      .select('id')
      .where(sql<boolean>`state = 'queued'`)
      .where('queue', '>=', p.from)
      .where('queue', '<', p.to)
      .where('run_at', '<=', now)
      .limit(many)
  )
  return async (channel, mode) => {
    const limit = rateLimiter.account(mode)
    const [row] = await store.read(log({ key: limit?.key ?? '' }))
    const keys = {
      hold: blockKey.hold,
      account: blockKey.account(mode),
      channel: blockKey.channel(channel),
      breaker: blockKey.breaker(mode, channel),
      throttle: blockKey.throttle(mode, channel),
      recipient: '',
      broadcast: ''
    }
    const standing = await store.read(blocks.of(keys))
    const rows = await store.read(queued({ from: `${mode}/0/`, to: `${mode}/00` }))
    const waiting = Math.min(rows.length + scheduler.waiting(mode), many)
    const time = Number(row!.now)
    const untils = standing.map(({ until }) => until)
    const held = Math.max(time, ...untils.map(until => until ?? 0))
    const past = JSON.parse(row!.log ?? '[]') as number[]
    const free = limit ? earliest({ limit, now: time, log: past }, false) : time
    const each = limit ? limit.windowMs / limit.calls : 0
    return {
      available: limit ? limit.calls - past.filter(at => at > time - limit.windowMs).length : null,
      waiting,
      waitMs: untils.includes(null) ? null : Math.max(held, free + waiting * each) - time,
      throttledUntil: held > time ? held : null
    }
  }
}
