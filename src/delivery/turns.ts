import type { Logger } from 'pino'
import type { Limit } from '../adapters/adapter.ts'
import type { Permit } from '../dispatch/gate.ts'
import { ServiceError } from '../errors.ts'
import type { BlockRow, MessageRow } from '../store/schema.ts'
import { first, type Unit } from '../store/store.ts'
import { blockKeysOf, blockQueries } from './blocks.ts'
import { createBudget } from './budget.ts'
import { aheadMs, createDecisions, type DecisionParts, pollMs, type Waiter, type Want } from './decide.ts'
import { bulkIsNext, type Served } from './fairness.ts'

export interface Turns {
  /** Resolves when a call may be made. Throws ServiceError `rate_limited` or `provider_unavailable` when it may not. */
  take: (want: Want) => Promise<Permit>
  /**
   * Whether a new message may go out at once, for the unit that makes its row.
   * @returns its permit; or what it has to wait for: its turn, or what stands in its way
   */
  pass: (row: MessageRow, limits: Limit[], sentAt: number) => Unit<Permit | 'turn' | BlockRow>
  /** The same for one that has to be made ready first: its turn is taken then. */
  clear: (row: MessageRow) => Unit<'turn' | BlockRow | undefined>
  /** Gives waiting messages their turns, one round after the other, until stopped. */
  wake: (mode: string, dueAt: number) => void
  /** A message that had been tried before came to an end. */
  ended: () => void
  /** How many calls wait in this process. */
  waiting: (mode: string) => number
  start: () => void
  stop: () => Promise<void>
}

export interface TurnsParts extends Omit<DecisionParts, 'served' | 'waitingFor' | 'lead' | 'mayRetry'> {
  log: Logger
  /** Takes messages that have been claimed. */
  deliver: (rows: MessageRow[], permit: Permit) => void
}

/** Where nothing is paced. */
export const free: Permit = { at: 0, until: Number.POSITIVE_INFINITY }

/** How late a slot may be used. With what lies between us and Maton it has to stay within the pace's margin. */
const lateMs = 60
/** Calls waiting in this process, for one caller's service, before more are turned away. */
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

export function createTurns(parts: TurnsParts): Turns {
  const { store, pace, queue, log, room, deliver } = parts
  const blocks = blockQueries(store)

  const waiters = new Map<string, Waiter[]>()
  const served: Served = { last: new Map(), turn: 0, sinceBulk: 0 }
  const budget = createBudget()
  let slowestMs = 0
  let stopped = true

  const permit = (inMs: number, sentAt: number): Permit => {
    const now = performance.now()
    slowestMs = Math.max(now - sentAt, slowestMs * 0.9)
    return { at: now + inMs, until: sentAt + inMs + lateMs }
  }
  /** Where the store takes long to answer, a slot that is due now would be past when the answer is here. */
  const lead = (): number => (slowestMs > lateMs / 2 ? slowestMs : 0)
  const { decide, reserve } = createDecisions({
    ...parts,
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

  /** One round: at most one turn. Resolves to when to look again. */
  const round = async (mode: string): Promise<number> => {
    const sentAt = performance.now()
    const { granted, refused, nextMs } = await store.write(() => decide(mode))
    for (const { waiter, block, now } of refused) {
      drop(waiter)
      waiter.reject(closed(block, now))
    }
    if (granted) {
      const { contender, rows, inMs } = granted
      const { head, waiter, lane, service } = contender
      served.turn++
      served.last.set(`${lane}/${head?.broadcast_id ?? service}`, served.turn)
      served.sinceBulk = lane === 1 ? 0 : served.sinceBulk + 1
      if (head) head.attempts > 0 ? budget.again() : budget.first(rows.length)
      if (waiter) {
        drop(waiter)
        waiter.resolve(permit(inMs, sentAt))
      } else deliver(rows, pace.account(mode) ? permit(inMs, sentAt) : free)
    }
    for (const waiter of [...(waiters.get(mode) ?? [])])
      if (waiter.deadline < performance.now()) {
        drop(waiter)
        waiter.reject(
          new ServiceError('rate_limited', 'There was no turn for this call in time. Nothing was sent.', {
            retryAfterSeconds: 1
          })
        )
      }
    return nextMs > aheadMs ? nextMs - aheadMs : nextMs
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
        return pollMs
      })
      .then(nextMs => {
        delete loop.running
        const at = Math.min(loop.wanted, Date.now() + Math.min(nextMs, pollMs))
        loop.wanted = Number.POSITIVE_INFINITY
        wake(mode, at)
      })
  }
  const wake: Turns['wake'] = (mode, dueAt) => {
    const loop = loops.get(mode)!
    if (loop.running) loop.wanted = Math.min(loop.wanted, dueAt)
    if (stopped || loop.running || dueAt >= loop.nextAt) return
    clearTimeout(loop.timer)
    loop.nextAt = dueAt
    const sleep = Math.min(Math.max(dueAt - Date.now(), 0), pollMs)
    // Without a timer where it is due: a line of thousands would wait a millisecond for each.
    loop.timer = setTimeout(() => tick(mode), sleep)
  }

  function* clear(row: MessageRow): Unit<'turn' | BlockRow | undefined> {
    const block = yield* first(blocks.of(blockKeysOf(row)))
    if (block) return block
    return (yield* first(queue.waiting({ queue: row.queue }))) ? 'turn' : undefined
  }

  return {
    take: want =>
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

    clear,
    pass: function* (row, limits, sentAt) {
      const limit = pace.account(row.mode)
      const account = limit && (yield* pace.open(limit))
      const way = yield* clear(row)
      if (way) return way
      if (!account) return free
      if (room() <= 0 || (waiters.get(row.mode) ?? []).length > 0) return 'turn'
      if (yield* first(queue.heads({ from: `${row.mode}/0/`, to: `${row.mode}/00` }))) return 'turn'
      // Those that need not queue count as well, or bulk would get a tenth of what they leave.
      const bulk = { from: `${row.mode}/1/`, to: `${row.mode}/10` }
      if (bulkIsNext(served) && (yield* first(queue.heads(bulk)))) return 'turn'
      const slot = yield* reserve(account, limits, false, 0)
      if (!('inMs' in slot)) return 'turn'
      // A unit may run twice: then bulk is one turn earlier.
      served.sinceBulk++
      return permit(slot.inMs, sentAt)
    },

    wake,
    ended: budget.ended,
    waiting: mode => waiters.get(mode)?.length ?? 0,
    start: () => {
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
