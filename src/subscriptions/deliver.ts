import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { hears, type Journal } from '../events/index.ts'
import { failpoint } from '../failpoints.ts'
import type { Metrics } from '../metrics.ts'
import { type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import type { Poster } from '../upstream/post.ts'
import { type Attempted, attempt } from './attempt.ts'
import type { MakerOf } from './makers.ts'
import { payloadOf } from './payload.ts'
import type { Claimed, DeliveryQueries } from './queries.ts'
import { createRecord, type Recorded } from './record.ts'
import type { Secrets } from './secrets.ts'

/** Sends what is due to whom it is due. */
export interface Deliverer {
  /** Something of this subscription may be due; without an id, of any. */
  wake: (id?: string) => void
  start: () => void
  /** Resolves when what is in hand has come back and is written down. */
  stop: () => Promise<void>
}

export interface DelivererParts {
  store: Store
  queries: DeliveryQueries
  journal: Pick<Journal, 'at'>
  makerOf: MakerOf
  secrets: Pick<Secrets, 'current'>
  poster: () => Promise<Poster>
  metrics: Pick<Metrics, 'delivery'>
  log: Logger
  clock: () => number
  random: () => number
}

/** Attempts in hand of this process. */
const mostInHand = 200
/** How often it is looked what is due, whatever was said: clocks are set, and other processes die. */
const pollMs = 1000
/** What has come together is taken together. */
const gatherMs = 5
/** How long it takes until a store that failed is asked again. */
const restMs = 1000

export function createDeliverer(parts: DelivererParts): Deliverer {
  const { store, queries, journal, makerOf, secrets, metrics, log, clock } = parts
  const record = createRecord(parts)
  const inHand = new Set<Promise<void>>()
  const asked = new Set<string>()
  let askedAll = true
  let stopped = true
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = Number.POSITIVE_INFINITY

  const hostOf = (url: string): string => new URL(url).host
  const unsent = (error: string): Attempted => ({
    attempt: { at: new Date(clock()).toISOString(), status: null, ms: 0, error },
    verdict: 'failed'
  })
  const send = async ({ row, subscription }: Claimed): Promise<Attempted> => {
    const event = await journal.at(row.position)
    if (!event || event.event.id !== row.event_id) return unsent('the event is not kept any longer')
    // It has waited, and its subscriber may be another by now.
    const maker = await makerOf(subscription)
    if (!maker || !hears(maker)(event.head))
      return unsent('the key that made the subscription may not hear this any more')
    const body = payloadOf(event, subscription.payload)
    const signing = await secrets.current(subscription.id, clock())
    const { url } = subscription
    const done = await attempt(await parts.poster(), { url, eventId: row.event_id, body, secrets: signing }, clock)
    metrics.delivery(done.verdict, done.attempt.ms)
    return done
  }

  function* end(claimed: Claimed, done: Attempted): Unit<{ recorded: Recorded; next: Claimed[] }> {
    const recorded = yield* record(claimed, done)
    return { recorded, next: stopped ? [] : yield* queries.claim(claimed.subscription.id, clock(), randomUUID()) }
  }

  /** Takes one to its end, and whatever of its subscription is due then. */
  const carry = async (claimed: Claimed): Promise<void> => {
    const { row, subscription } = claimed
    const { id } = subscription
    failpoint('delivery_claimed')
    const done = await send(claimed)
    failpoint('delivery_answered')
    const { recorded, next } = await store.write(() => end(claimed, done))
    failpoint('delivery_recorded')
    take(next)
    if (recorded.nextAt !== undefined) wakeAt(recorded.nextAt)
    const about = { subscription: id, host: hostOf(subscription.url) }
    if (recorded.outcome === 'superseded')
      log.warn({ ...about, delivery: row.id }, 'an attempt took longer than its lease: it is made again')
    if (recorded.became === 'failing')
      log.warn({ ...about, error: done.attempt.error }, 'a subscriber fails: its events wait and are sent again')
    if (recorded.became === 'active') log.info(about, 'a subscriber answers well again')
    if (recorded.became === 'disabled')
      log.error({ ...about, error: done.attempt.error }, 'a subscription is disabled: POST …/enable, then …/replay')
  }

  function take(claimed: readonly Claimed[]): void {
    for (const one of claimed) {
      const work: Promise<void> = carry(one)
        .catch(error => {
          // Its lease ends by itself, and it goes again.
          if (error instanceof StoreUnavailable) log.warn({ err: error }, 'a delivery could not be written down')
          else log.error({ err: error, delivery: one.row.id }, 'a delivery could not be made: a defect of ours')
        })
        .finally(() => {
          inHand.delete(work)
          if (inHand.size === mostInHand - 1) wake()
        })
      inHand.add(work)
    }
  }

  const round = async (): Promise<void> => {
    const all = askedAll
    askedAll = false
    const ids = all ? await queries.due(clock()) : [...asked]
    asked.clear()
    for (const id of ids) {
      if (stopped || inHand.size >= mostInHand) {
        askedAll = true
        return
      }
      take(await store.write(() => queries.claim(id, clock(), randomUUID())))
    }
    if (all) {
      const soonest = await queries.nextDue(clock())
      if (soonest !== undefined) wakeAt(soonest)
    }
  }
  const run = (): void => {
    clearTimeout(timer)
    timer = undefined
    timerAt = Number.POSITIVE_INFINITY
    if (running || stopped) return
    let later = pollMs
    running = round()
      .catch(error => {
        askedAll = true
        later = restMs
        log.warn({ err: error }, 'it could not be looked which events are to be delivered: it is tried again')
      })
      .finally(() => {
        running = undefined
        if (stopped) return
        if (asked.size > 0) later = gatherMs
        else if (later === pollMs) askedAll = true
        at(later)
      })
  }
  function at(ms: number): void {
    const due = performance.now() + ms
    if (stopped || due >= timerAt) return
    clearTimeout(timer)
    timerAt = due
    timer = setTimeout(run, ms).unref()
  }
  function wakeAt(instant: number): void {
    const ms = instant - clock()
    if (ms > pollMs) return
    askedAll = true
    at(Math.max(ms, gatherMs))
  }
  function wake(id?: string): void {
    if (id === undefined) askedAll = true
    else asked.add(id)
    if (!running) at(gatherMs)
  }

  return {
    wake,
    start: () => {
      stopped = false
      // Where this is the only process nobody else has anything in hand; where it cannot be said, the leases end by themselves.
      const freed = store.dialect === 'sqlite' ? queries.endLeases(clock()) : Promise.resolve()
      freed.catch(error =>
        log.warn({ err: error }, 'deliveries that a process before had in hand wait for their leases')
      )
      freed.then(
        () => wake(),
        () => wake()
      )
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
      while (inHand.size > 0) await Promise.all(inHand)
    }
  }
}
