import type { Limit } from '../../adapters/adapter.ts'
import { free, type Permit } from '../../dispatch/admission.ts'
import { type Blockable, blockKeysOf, blockQueries } from '../../messages/blocks.ts'
import type { Head, QueueQueries } from '../../messages/queue.ts'
import type { BlockRow, MessageRow } from '../../store/schema.ts'
import { all, first, type Store, type Unit } from '../../store/store.ts'
import { overBudgetMs } from '../retry-policy.ts'
import { type Contender, inTurn, type Served } from './fairness.ts'
import { earliest, type Ledger, type RateLimiter } from './rate-limiter.ts'

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

export interface Waiter extends Want {
  resolve: (permit: Permit) => void
  reject: (error: unknown) => void
  /** performance.now() */
  deadline: number
}

export interface Decision {
  granted?: { permit: Permit; contender: Contender<Waiter, Head>; rows: MessageRow[] }
  /** Calls that are blocked for longer than they may wait. */
  refused: { waiter: Waiter; block: BlockRow; now: number }[]
  /** performance.now() when the store's clock was read. */
  readAt?: number
  /** Look again after this. */
  nextMs: number
}

export interface DecisionParts {
  store: Store
  rateLimiter: RateLimiter
  queue: QueueQueries
  leaseMs: number
  /** The provider's limits of a waiting message. */
  limitsOf: (head: Head) => Limit[]
  /** How many more messages of a mode this process can take in hand. */
  freeSlots: (mode: string) => number
  /** How many messages of a line go out in one call. */
  chunkOf: (head: Head, ratePerSecond: number | null, free: number) => number
  /** When a message of a broadcast may go by its window, which is JSON; now or earlier: it may. Undefined: nobody can say just now. */
  opensAt: (window: string, person: string, now: number) => number | undefined
  served: Served
  waitingFor: (mode: string) => Waiter[]
  /** How long a decision takes to get here, where that is long. */
  lead: () => number
  /** Whether a message that has been tried may have a turn. */
  mayRetry: () => boolean
}

/** How far ahead of its time a slot is given away: what claiming a message takes on a busy machine. */
export const aheadMs = 100
/** Lines that are looked at in one decision. */
const mostLines = 2000
/** The longest sleep: other replicas queue too, and blocks end without a word. */
export const pollMs = 1000
/** A slot that is nearer than this, in milliseconds, is used when its message has been made ready, and not on the instant. */
const readyMs = 40
/** How late such a slot may be used. */
const unreadyLateMs = 60
/** Messages that are put off in one decision. */
const mostPutOff = 500
/** Until what is known of places has been loaded. */
const notReadyMs = 50
/** Who may go next, as units of the store: while one runs no other replica decides. */
export function createDecisions(parts: DecisionParts) {
  const {
    store,
    rateLimiter,
    queue,
    leaseMs,
    limitsOf,
    freeSlots,
    chunkOf,
    served,
    opensAt,
    waitingFor,
    lead,
    mayRetry
  } = parts
  const blocks = blockQueries(store)
  const { build } = store
  const clock = () => build.selectNoFrom(store.now.as('now')).compile()
  const termsOf = (id: string) =>
    build.selectFrom('broadcasts').select(['rate_per_second', 'sending_window']).where('id', '=', id)

  /** The slot that suits an account and all further limits, booked; or how long there is none, and for which limit. */
  function* reserve(
    account: Ledger | undefined,
    limits: Limit[],
    spaced: boolean,
    reach: number
  ): Unit<{ permit: Permit } | { waitMs: number; limit: Limit }> {
    const ledgers = account ? [account] : []
    for (const limit of limits) ledgers.push(yield* rateLimiter.open(limit))
    let tightest = ledgers[0]
    if (!tightest) return { permit: free }
    // One time for all: a millisecond between two looks at the clock is no reason to wait for a limit.
    const { now, read } = tightest
    let at = now + lead()
    const lateMs = rateLimiter.punctuality.lateMs()
    for (const ledger of ledgers) {
      const next = earliest({ ...ledger, now }, spaced && ledger === account)
      if (next > at) [at, tightest] = [next, ledger]
    }
    at = Math.ceil(at)
    const inMs = at - now
    if (inMs > reach + lead()) return { waitMs: inMs, limit: tightest.limit }
    const allowedMs = inMs < readyMs ? unreadyLateMs : lateMs
    const permit: Permit = { at: read.after + inMs, until: read.before + inMs + allowedMs }
    for (const ledger of ledgers) {
      const slot = yield* rateLimiter.book(ledger, at, ledger === account ? allowedMs : 0)
      if (ledger === account) permit.slot = slot
    }
    return { permit }
  }

  /**
   * Puts off whoever is first in a line and outside of the window, many at a time: each costs one write, and blocks nobody
   * until the window opens. Answers in how many milliseconds to look again; undefined: what comes next may go.
   */
  function* keepWindow({ queue: line }: Head, window: string, size: number, now: number): Unit<number | undefined> {
    for (const limit of [2 * size, mostPutOff]) {
      const times = new Map<number, string[]>()
      for (const { id, contact } of yield* all(queue.due({ queue: line, limit }))) {
        const at = opensAt(window, contact ?? '', now)
        if (at === undefined) return notReadyMs
        if (at > now) times.set(at, [...(times.get(at) ?? []), id])
      }
      if (times.size === 0) return undefined
      // There are others behind them most likely: the window has closed.
      if (limit < mostPutOff) continue
      for (const [run_at, ids] of times) yield queue.putOff({ ids, run_at: Math.ceil(run_at) })
      return 0
    }
    return undefined
  }

  const standsIn = (keys: string[], standing: ReadonlyMap<string, BlockRow>): BlockRow | undefined => {
    for (const key of keys) if (standing.has(key)) return standing.get(key)
    return undefined
  }
  const keysOf = (row: Blockable): string[] => Object.values(blockKeysOf(row))

  /** Who is next, in the store's own order of things: no other replica decides meanwhile. */
  function* decide(mode: string): Unit<Decision> {
    const limit = rateLimiter.account(mode)
    const account = limit && (yield* rateLimiter.open(limit))
    const decision: Decision = { refused: [], nextMs: pollMs, ...(account && { readAt: account.read.after }) }
    const soonest = account ? earliest(account, false) - account.now : 0
    if (soonest > aheadMs + lead()) return { ...decision, nextMs: soonest }
    const standing = new Map((yield* all(blocks.all({}))).map(block => [block.key, block]))
    const now = account?.now ?? Number((yield* first(clock()))!.now)
    const later = (ms: number): void => {
      decision.nextMs = Math.min(decision.nextMs, Math.max(ms, 1))
    }

    const open: Waiter[] = []
    for (const waiter of waitingFor(mode)) {
      const block = standsIn(waiter.keys, standing)
      if (!block) open.push(waiter)
      else if (block.until === null || block.until - now > waiter.deadline - performance.now())
        decision.refused.push({ waiter, block, now })
      else later(block.until - now)
    }
    const lines: Head[] = []
    if (freeSlots(mode) > 0)
      for (const head of yield* all(queue.heads({ from: `${mode}/`, to: `${mode}0`, limit: mostLines }))) {
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
      if (head && head.attempts > 0 && !mayRetry()) {
        yield queue.defer({ id: head.id, run_at: Math.ceil(now + overBudgetMs(Math.random)) })
        later(0)
        continue
      }
      const terms = head?.broadcast_id ? yield* first(termsOf(head.broadcast_id)) : undefined
      const rate = terms?.rate_per_second ?? null
      const size = head ? chunkOf(head, rate, freeSlots(mode)) : 1
      if (head && terms?.sending_window) {
        const waits = yield* keepWindow(head, terms.sending_window, size, now)
        if (waits !== undefined) {
          later(waits)
          continue
        }
      }
      const own: Limit[] =
        rate === null ? [] : [{ key: `broadcast/${head!.broadcast_id}`, calls: 1, windowMs: (size / rate) * 1000 }]
      // Without a pace only the broadcast's own rate is kept.
      const wanted = account ? [...own, ...(waiter?.limits ?? limitsOf(head!))] : own
      const slot = yield* reserve(account, wanted, contender.lane === 1, aheadMs)
      if ('waitMs' in slot) {
        if (head && slot.limit.recipient) {
          yield queue.defer({ id: head.id, run_at: Math.ceil(now + slot.waitMs) })
          later(0)
        } else later(slot.waitMs)
        continue
      }
      const rows = head ? yield* all(queue.claim({ queue: head.queue, limit: size, lease_ms: leaseMs })) : []
      if (head && rows.length === 0) continue
      return { ...decision, granted: { permit: slot.permit, contender, rows }, nextMs: 0 }
    }
    return decision
  }

  return { decide, reserve }
}
