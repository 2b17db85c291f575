import type { Logger } from 'pino'
import type { Limit } from '../../adapters/adapter.ts'
import { free, type Permit } from '../../dispatch/admission.ts'
import { ServiceError } from '../../errors.ts'
import { blockKeysOf, blockQueries } from '../../messages/blocks.ts'
import { requestTrace } from '../../request-trace.ts'
import type { BlockRow, MessageRow } from '../../store/schema.ts'
import { first, StoreUnavailable, type Unit } from '../../store/store.ts'
import { aheadMs, createDecisions, type DecisionParts, pollMs, type Waiter, type Want } from './decisions.ts'
import { createFading } from './fading.ts'
import { bulkIsNext, had, type Served } from './fairness.ts'
import { createRetryBudget } from './retry-budget.ts'

export interface Scheduler {
  /** Resolves when a call may be made. Throws ServiceError `rate_limited` or `provider_unavailable` when it may not. */
  acquire: (want: Want) => Promise<Permit>
  /**
   * Tells, inside the unit that makes its row, whether a new message may go out at once.
   * @returns its permit; or what it has to wait for: `turn` (others are before it), or the block that stops it
   */
  tryAcquire: (row: MessageRow, limits: Limit[]) => Unit<Permit | 'turn' | BlockRow>
  /** Tells what a message that has yet to be made ready would have to wait for, without taking a permit; undefined: nothing. */
  peek: (row: MessageRow) => Unit<'turn' | BlockRow | undefined>
  /** Has the next decision made when `dueAt` has come, at the latest after a poll. */
  wake: (mode: string, dueAt: number) => void
  /** Milliseconds by which a commit has to begin earlier than its slot. */
  commitMs: () => number
  /** Tells the retry budget that a message that had been tried before came to an end. */
  ended: () => void
  /** How many calls wait in this process. */
  waiting: (mode: string) => number
  /** Gives permits from now on, and what is due to whoever does the work. */
  start: (work: Work) => void
  stop: () => Promise<void>
}

export interface SchedulerParts
  extends Omit<DecisionParts, 'freeSlots' | 'served' | 'waitingFor' | 'lead' | 'mayRetry'> {
  log: Logger
}

/** Delivers what is due. */
export interface Work {
  /** How many more messages of a mode this process can take in hand. */
  freeSlots: (mode: string) => number
  /** Takes messages that have been claimed. */
  deliver: (rows: MessageRow[], permit: Permit) => void
}

/** The store is slow when a commit takes longer than this, in milliseconds: slots are then given away further ahead. */
const slowMs = 30
/** Slots are given away at most this far ahead, in milliseconds. A stall is forgotten by half in each second. */
const mostLeadMs = 2000
/** At most this many calls of one service wait in this process; more are turned away. */
const mostWaiting = 200
const closed = ({ key, until, detail }: BlockRow, now: number): ServiceError =>
  until === null
    ? new ServiceError('provider_unavailable', detail ?? `Calls are held up (${key}). Nothing was sent.`, {
        retryAfterSeconds: 5
      })
    : new ServiceError('rate_limited', detail ?? 'The provider asked to wait. Nothing was sent.', {
        retryAfterSeconds: Math.max(1, Math.ceil((until - now) / 1000))
      })

const closing = (): ServiceError =>
  new ServiceError('provider_unavailable', 'Switchboard is closing. Nothing was sent.', { retryAfterSeconds: 1 })

export function createScheduler(parts: SchedulerParts): Scheduler {
  const { store, rateLimiter, queue, log } = parts
  let work: Work | undefined
  const freeSlots = (mode: string): number => work?.freeSlots(mode) ?? 0
  const blocks = blockQueries(store)

  const waiters = new Map<string, Waiter[]>()
  const served: Served = { last: new Map(), turn: 0, sinceBulk: 0 }
  const budget = createRetryBudget()
  let stopped = true
  const slow = createFading(1000)
  const slowness = slow.value
  const committed = (sentAt: number): void => slow.raise(Math.min(mostLeadMs, performance.now() - sentAt))
  /** Milliseconds that a commit takes at worst: it waits for another's, then for its own. */
  const commitMs = (): number => 2 * slowness()
  /** Milliseconds to decide ahead: on a slow store a slot that is due now would be past when claim and dispatch are committed. */
  const lead = (): number => (slowness() > slowMs ? slowness() + commitMs() : 0)
  const { decide, reserve } = createDecisions({
    ...parts,
    freeSlots,
    served,
    waitingFor: mode => waiters.get(mode) ?? [],
    lead,
    mayRetry: budget.may
  })

  const drop = (waiter: Waiter): void => {
    const list = waiters.get(waiter.mode)!
    const at = list.indexOf(waiter)
    if (at >= 0) list.splice(at, 1)
  }

  /** Makes one decision: at most one permit is given. Resolves to when to decide again. */
  const round = async (mode: string): Promise<number> => {
    const sentAt = performance.now()
    const { granted, refused, nextMs, readAt = sentAt } = await store.write(() => decide(mode))
    committed(readAt)
    for (const { waiter, block, now } of refused) {
      drop(waiter)
      waiter.reject(closed(block, now))
    }
    if (granted) {
      const { contender, rows, permit } = granted
      const { head, waiter, lane, service } = contender
      had(served, lane, service, head?.queue)
      served.sinceBulk = lane === 1 ? 0 : served.sinceBulk + 1
      if (head) head.attempts > 0 ? budget.again() : budget.first(rows.length)
      if (waiter) {
        drop(waiter)
        waiter.resolve(permit)
      } else work?.deliver(rows, rateLimiter.account(mode) ? permit : free)
    }
    return nextMs > aheadMs ? nextMs - aheadMs : nextMs
  }

  /** Refuses the calls that have waited too long; with an outage of the store, all of them. */
  const sendAway = (mode: string, outage?: StoreUnavailable): void => {
    const late = new ServiceError('rate_limited', 'There was no turn for this call in time. Nothing was sent.', {
      retryAfterSeconds: 1
    })
    for (const waiter of [...(waiters.get(mode) ?? [])])
      if (outage || waiter.deadline < performance.now()) {
        drop(waiter)
        waiter.reject(outage ?? late)
      }
  }

  const loops = new Map<string, { timer?: NodeJS.Timeout; nextAt: number; running?: Promise<void>; wanted: number }>(
    ['live', 'test'].map(mode => [mode, { nextAt: Number.POSITIVE_INFINITY, wanted: Number.POSITIVE_INFINITY }])
  )
  const tick = (mode: string): void => {
    const loop = loops.get(mode)!
    delete loop.timer
    loop.nextAt = Number.POSITIVE_INFINITY
    if (stopped) return
    loop.running = round(mode)
      .catch(error => {
        log.error({ err: error }, 'the delivery of waiting messages was interrupted')
        if (error instanceof StoreUnavailable) sendAway(mode, error)
        return pollMs
      })
      .then(nextMs => {
        delete loop.running
        sendAway(mode)
        const at = Math.min(loop.wanted, Date.now() + Math.min(nextMs, pollMs))
        loop.wanted = Number.POSITIVE_INFINITY
        wake(mode, at)
      })
  }
  const wake: Scheduler['wake'] = (mode, dueAt) => {
    const loop = loops.get(mode)!
    if (loop.running) loop.wanted = Math.min(loop.wanted, dueAt)
    if (stopped || loop.running || dueAt >= loop.nextAt) return
    clearTimeout(loop.timer)
    loop.nextAt = dueAt
    const sleep = Math.min(Math.max(dueAt - Date.now(), 0), pollMs)
    // Without a timer where it is due: a line of thousands would wait a millisecond for each.
    // What it sends is done for whoever waits longest, and not for the request that woke it.
    requestTrace.exit(() => {
      loop.timer = setTimeout(() => tick(mode), sleep)
    })
  }

  function* peek(row: MessageRow): Unit<'turn' | BlockRow | undefined> {
    const block = yield* first(blocks.of(blockKeysOf(row)))
    if (block) return block
    if (rateLimiter.account(row.mode) && freeSlots(row.mode) <= 0) return 'turn'
    return (yield* first(queue.waiting({ queue: row.queue }))) ? 'turn' : undefined
  }

  return {
    acquire: want =>
      new Promise((resolve, reject) => {
        const list = waiters.get(want.mode) ?? []
        waiters.set(want.mode, list)
        if (stopped) {
          reject(closing())
          return
        }
        if (want.lane === 0 && list.filter(({ service }) => service === want.service).length >= mostWaiting) {
          reject(
            new ServiceError('rate_limited', 'Too many calls wait for their turn already.', { retryAfterSeconds: 5 })
          )
          return
        }
        list.push({ ...want, resolve, reject, deadline: performance.now() + want.timeoutMs })
        wake(want.mode, Date.now())
      }),

    peek,
    tryAcquire: function* (row, limits) {
      const limit = rateLimiter.account(row.mode)
      const account = limit && (yield* rateLimiter.open(limit))
      const way = yield* peek(row)
      if (way) return way
      if (!account) return free
      // A slow store would have it wait in `sending`, where dying makes it unknown.
      if (lead() > 0 || (waiters.get(row.mode) ?? []).length > 0) return 'turn'
      if (yield* first(queue.heads({ from: `${row.mode}/0/`, to: `${row.mode}/00`, limit: 1 }))) return 'turn'
      // Messages that need not queue count as well, or bulk would get a tenth of what they leave.
      const bulk = { from: `${row.mode}/1/`, to: `${row.mode}/10`, limit: 1 }
      if (bulkIsNext(served) && (yield* first(queue.heads(bulk)))) return 'turn'
      const slot = yield* reserve(account, limits, false, 0)
      if (!('permit' in slot)) return 'turn'
      // A unit may run twice: then bulk is one turn earlier, and a retry a tenth.
      served.sinceBulk++
      budget.first(1)
      return slot.permit
    },

    wake,
    commitMs,
    ended: budget.ended,
    waiting: mode => waiters.get(mode)?.length ?? 0,
    start: worker => {
      work = worker
      stopped = false
      for (const mode of loops.keys()) wake(mode, Date.now())
    },
    stop: async () => {
      stopped = true
      for (const loop of loops.values()) clearTimeout(loop.timer)
      await Promise.all([...loops.values()].map(loop => loop.running))
      for (const waiter of [...waiters.values()].flat()) waiter.reject(closing())
      waiters.clear()
    }
  }
}
