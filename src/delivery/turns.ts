import type { Logger } from 'pino'
import type { Limit } from '../adapters/adapter.ts'
import type { Permit } from '../dispatch/gate.ts'
import { ServiceError } from '../errors.ts'
import type { BlockRow, MessageRow } from '../store/schema.ts'
import { all, first, type Store, type Unit } from '../store/store.ts'
import { type Blockable, blockKeysOf, blockQueries } from './blocks.ts'
import { type Contender, inTurn, type Served } from './fairness.ts'
import { earliest, type Ledger, type Pace } from './pace.ts'
import type { Head, QueueQueries } from './queue.ts'

/** A call that somebody waits for in this process. */
export interface Want {
  mode: string
  lane: 0 | 1
  /** Whose call it is: slots go round between them. */
  service: string
  limits: Limit[]
  /** What may keep it from going. */
  keys: string[]
  /** The longest that it may have to wait. */
  timeoutMs: number
}

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
  /** How many calls wait in this process. */
  waiting: (mode: string) => number
  start: () => void
  stop: () => Promise<void>
}

export interface TurnsParts {
  store: Store
  pace: Pace
  queue: QueueQueries
  log: Logger
  leaseMs: number
  /** The provider's limits of a waiting message. */
  limitsOf: (head: Head) => Limit[]
  /** How many more messages this process can take in hand. */
  room: () => number
  /** How many messages of a line go out in one call. */
  chunkOf: (head: Head, ratePerSecond: number | null) => number
  /** Takes messages that have been claimed. */
  deliver: (rows: MessageRow[], permit: Permit) => void
}

/** Where nothing is paced. */
export const free: Permit = { at: 0, until: Number.POSITIVE_INFINITY }

/** How far ahead of its time a slot is given away: what claiming a message takes on a busy machine. */
const aheadMs = 100
/** How late a slot may be used. With what lies between us and Maton it has to stay within the pace's margin. */
const lateMs = 60
/** The longest sleep: other replicas queue too, and blocks end without a word. */
const pollMs = 1000
/** Calls waiting in this process, for one caller's service, before more are turned away. */
const mostWaiting = 200
/** Of ten calls one may be a repetition, and ten are always allowed (RELIABILITY.md P21). */
const retryShare = 0.1
const retryFloor = 10

interface Waiter extends Want {
  resolve: (permit: Permit) => void
  reject: (error: unknown) => void
  /** performance.now() */
  deadline: number
}

interface Decision {
  granted?: { inMs: number; contender: Contender<Waiter, Head>; rows: MessageRow[] }
  /** Those whose way is closed for longer than they may wait. */
  refused: { waiter: Waiter; block: BlockRow; now: number }[]
  /** Look again after this. */
  nextMs: number
}

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
  const { store, pace, queue, log, leaseMs, limitsOf, room, chunkOf, deliver } = parts
  const blocks = blockQueries(store)
  const { build } = store
  const clock = () => build.selectNoFrom(store.now.as('now')).compile()
  const rateOf = (id: string) => build.selectFrom('broadcasts').select('rate_per_second').where('id', '=', id)

  const waiters = new Map<string, Waiter[]>()
  const served: Served = { last: new Map(), turn: 0, sinceBulk: 0 }
  let retries = retryFloor
  let slowestMs = 0
  let stopped = true

  const permit = (inMs: number, sentAt: number): Permit => {
    const now = performance.now()
    slowestMs = Math.max(now - sentAt, slowestMs * 0.9)
    return { at: now + inMs, until: sentAt + inMs + lateMs }
  }
  /** Where the store takes long to answer, a slot that is due now would be past when the answer is here. */
  const lead = (): number => (slowestMs > lateMs / 2 ? slowestMs : 0)

  /** The slot that suits an account and all further limits, booked; or how long there is none, and for which limit. */
  function* reserve(
    account: Ledger | undefined,
    limits: Limit[],
    spaced: boolean,
    reach: number
  ): Unit<{ inMs: number } | { waitMs: number; limit: Limit }> {
    const ledgers = account ? [account] : []
    for (const limit of limits) ledgers.push(yield* pace.open(limit))
    let tightest = ledgers[0]
    if (!tightest) return { inMs: 0 }
    const { now } = tightest
    let at = now + lead()
    for (const ledger of ledgers) {
      const free = earliest(ledger, spaced && ledger === account)
      if (free > at) [at, tightest] = [free, ledger]
    }
    if (at - now > reach + lead()) return { waitMs: at - now, limit: tightest.limit }
    for (const ledger of ledgers) yield* pace.book(ledger, at)
    return { inMs: at - now }
  }

  const standsIn = (keys: string[], standing: ReadonlyMap<string, BlockRow>): BlockRow | undefined => {
    for (const key of keys) if (standing.has(key)) return standing.get(key)
    return undefined
  }
  const keysOf = (row: Blockable): string[] => Object.values(blockKeysOf(row))

  /** Who is next, in the store's own order of things: no other replica decides meanwhile. */
  function* decide(mode: string): Unit<Decision> {
    const limit = pace.account(mode)
    const account = limit && (yield* pace.open(limit))
    const decision: Decision = { refused: [], nextMs: pollMs }
    const soonest = account ? earliest(account, false) - account.now : 0
    if (soonest > aheadMs + lead()) return { ...decision, nextMs: soonest }
    const standing = new Map((yield* all(blocks.all({}))).map(block => [block.key, block]))
    const now = account?.now ?? Number((yield* first(clock()))!.now)
    const later = (ms: number): void => {
      decision.nextMs = Math.min(decision.nextMs, Math.max(ms, 1))
    }

    const open: Waiter[] = []
    for (const waiter of waiters.get(mode) ?? []) {
      const block = standsIn(waiter.keys, standing)
      if (!block) open.push(waiter)
      else if (block.until === null || block.until - now > waiter.deadline - performance.now())
        decision.refused.push({ waiter, block, now })
      else later(block.until - now)
    }
    const lines: Head[] = []
    if (room() > 0)
      for (const head of yield* all(queue.heads({ from: `${mode}/`, to: `${mode}0` }))) {
        const block = standsIn(keysOf(head), standing)
        if (!block) lines.push(head)
        else if (block.key.startsWith('recipient/') && block.until !== null) {
          // Only this person has to wait, not the line behind.
          yield queue.defer({ id: head.id, run_at: block.until })
          later(0)
        } else if (block.until !== null) later(block.until - now)
      }

    for (const contender of inTurn(open, lines, served)) {
      const { head, waiter } = contender
      if (head && head.attempts > 0 && retries < 1) {
        yield queue.defer({ id: head.id, run_at: now + 2000 + Math.random() * 3000 })
        later(0)
        continue
      }
      const rate = head?.broadcast_id ? ((yield* first(rateOf(head.broadcast_id)))?.rate_per_second ?? null) : null
      const size = head ? chunkOf(head, rate) : 1
      const own: Limit[] =
        rate === null ? [] : [{ key: `broadcast/${head!.broadcast_id}`, calls: 1, windowMs: (size / rate) * 1000 }]
      // Without a pace only the broadcast's own rate is kept.
      const wanted = account ? [...own, ...(waiter?.limits ?? limitsOf(head!))] : own
      const slot = yield* reserve(account, wanted, contender.lane === 1, aheadMs)
      if ('waitMs' in slot) {
        if (head && slot.limit.recipient) {
          yield queue.defer({ id: head.id, run_at: now + slot.waitMs })
          later(0)
        } else later(slot.waitMs)
        continue
      }
      const rows = head ? yield* all(queue.claim({ queue: head.queue, limit: size, lease_ms: leaseMs })) : []
      if (head && rows.length === 0) continue
      return { ...decision, granted: { inMs: slot.inMs, contender, rows }, nextMs: 0 }
    }
    return decision
  }

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
      if (head) retries = Math.min(retryFloor, head.attempts > 0 ? retries - 1 : retries + retryShare * rows.length)
      if (waiter) {
        drop(waiter)
        waiter.resolve(permit(inMs, sentAt))
      } else deliver(rows, permit(inMs, sentAt))
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
      const slot = yield* reserve(account, limits, false, 0)
      return 'inMs' in slot ? permit(slot.inMs, sentAt) : 'turn'
    },

    wake,
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
