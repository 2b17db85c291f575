import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Channels } from '../../channels/channels.ts'
import type { Permit } from '../../dispatch/admission.ts'
import type { DispatchChannel } from '../../dispatch/provider-client.ts'
import { ServiceError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import type { QueueQueries } from '../../messages/queue.ts'
import { draftOf } from '../../messages/row.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { createPeriodic } from '../../periodic.ts'
import type { MessageRow } from '../../store/schema.ts'
import { type Store, StoreUnavailable } from '../../store/store.ts'
import type { Preparation } from '../intake/prepare.ts'
import { retryPolicy } from '../retry-policy.ts'
import type { Ask, CircuitBreaker } from '../scheduling/circuit-breaker.ts'
import { free } from '../scheduling/decisions.ts'
import type { Scheduler, Work } from '../scheduling/scheduler.ts'
import type { Executor } from './attempt.ts'
import type { Reaper } from './reaper.ts'

export interface WorkerParts {
  store: Store
  queries: MessageQueries
  queue: QueueQueries
  channels: Channels
  preparation: Preparation
  executor: Executor
  scheduler: Scheduler
  reaper: Reaper
  breaker: CircuitBreaker
  notifications: Notifications
  /** Whether a provider takes a broadcast's messages many in one call, and that call. */
  batched: (provider: string) => boolean
  deliverBatch: (rows: MessageRow[], channel: DispatchChannel, permit: Permit) => Promise<void>
  /** One cheap read of a provider. */
  ask: Ask
  /** How many messages of a mode may be on their way in this process. */
  most: (mode: string) => number
  log: Logger
}

export interface Worker {
  /** Settles what an earlier process left, then delivers what comes due until it is stopped. */
  start: () => Promise<void>
  /** Delivers one that was claimed by whoever stored it. */
  deliverOwn: (row: MessageRow) => Promise<MessageRow>
  /** Delivers a row that the engine claimed for what comes after a refusal; any other is given back as it is. */
  failOver: (row: MessageRow) => MessageRow | Promise<MessageRow>
  /** Takes no more; resolves when what it had taken is settled. */
  stop: () => Promise<void>
}

/** How often dead holders are looked for (docs/reliability.md 3.1 rule 3). */
const reapMs = 5000
/** How often the way of what is held up is looked at. */
const lookMs = 1000
/** How long a message to somebody waits for the one before it. */
const orderMs = 1000

/** Delivers messages that waited: those held back by pace or provider, those with a start time, those a crash left behind. */
export function createWorker(parts: WorkerParts): Worker {
  const {
    store,
    queries,
    queue,
    channels,
    preparation,
    executor,
    scheduler,
    reaper,
    breaker,
    notifications,
    batched,
    deliverBatch,
    ask,
    most,
    log
  } = parts
  const inHand = new Set<Promise<void>>()
  let stopped = true

  const defer = async (row: MessageRow, error: ServiceError): Promise<MessageRow> => {
    // Stopping is no reason to wait: another process may have it at once.
    const run_at = stopped ? row.run_at : store.clock() + retryPolicy.laterMs
    await store.write(function* () {
      yield queries.release({
        id: row.id,
        state: 'queued',
        final: 0,
        run_at,
        error: row.error,
        failed_at: null,
        lease_until: row.lease_until,
        entry: timelineEntry(store.clock(), { ...row, state: 'queued' }, error.message)
      })
    })
    notifications.publish(row.id)
    scheduler.wake(row.mode, run_at)
    return { ...row, state: 'queued', run_at }
  }

  const deliver = async (row: MessageRow, permit?: Permit): Promise<MessageRow> => {
    let channel: DispatchChannel | undefined
    try {
      channel = await channels.bind(row.channel_id, row.mode)
    } catch (error) {
      return executor.requeueAfterFault(row, error)
    }
    if (!channel) {
      const gone = `The channel ${row.channel_id} does not exist any more. Nothing was sent.`
      return executor.fail(row, new ServiceError('channel_rejected', gone))
    }
    try {
      const prepared = await preparation.prepare(draftOf(row), { ...channel, service: row.service })
      const done = await executor.deliver(row, prepared, channel, permit)
      if (done.state === 'queued') scheduler.wake(done.mode, done.run_at)
      return await failOver(done)
    } catch (error) {
      if (!(error instanceof ServiceError)) return executor.requeueAfterFault(row, error)
      // The provider could not be asked just now, or there was no turn: it waits again, its expiry is the limit.
      if (error.code === 'provider_unavailable' || error.code === 'rate_limited') return defer(row, error)
      return executor.fail(row, error)
    }
  }

  /** Delivers messages of one broadcast in one call; it names people by number, so a message to somebody without one goes alone. */
  const deliverAll = async (rows: MessageRow[], permit: Permit): Promise<void> => {
    try {
      const channel = await channels.bind(rows[0]!.channel_id, rows[0]!.mode)
      const numbered = channel ? rows.filter(row => row.user_id === null) : []
      if (channel && numbered.length > 0) await deliverBatch(numbered, channel, permit)
      for (const row of rows) if (!numbered.includes(row)) await deliver(row)
    } catch (error) {
      // Only messages that are still claimed change; the others are past that, or settled.
      for (const row of rows) await executor.requeueAfterFault(row, error)
    }
  }

  /** Recursive with `deliver`, but not for long: each step uses up the fallback or a channel. */
  const failOver: Worker['failOver'] = row => (executor.redirected.has(row) ? deliver(row) : row)

  /** By channel and person: the last message that was taken. */
  const before = new Map<string, Promise<unknown>>()
  /** Messages to one person start in their order; one that hangs does not keep the next for long. */
  const inOrder = async (row: MessageRow, permit: Permit): Promise<void> => {
    const key = `${row.mode}/${row.channel_id}/${row.contact}`
    const last = before.get(key)
    const mine = (async () => {
      // With a pace they have their turns apart from each other.
      if (last && permit === free) await Promise.race([last, sleep(orderMs, undefined, { ref: false })])
      const done = await deliver(row, permit)
      if (row.attempts > 0 && done.state !== 'queued') scheduler.ended()
    })()
    const settled = mine.catch(() => {})
    before.set(key, settled)
    try {
      await mine
    } finally {
      if (before.get(key) === settled) before.delete(key)
    }
  }

  const hold = (work: Promise<unknown>, mode: string, ids: string[]): void => {
    const held: Promise<void> = work
      .then(() => {})
      .catch(error => log.error({ err: error, messages: ids }, 'a delivery was interrupted: its lease decides'))
      .finally(() => {
        inHand.delete(held)
        scheduler.wake(mode, Date.now())
      })
    inHand.add(held)
  }

  /** Somebody waits for it here: it is in hand as well, and its failure is theirs to hear of. */
  const counted = (work: Promise<MessageRow>, { mode }: MessageRow): Promise<MessageRow> => {
    hold(
      work.catch(() => {}),
      mode,
      []
    )
    return work
  }

  let reaped = 0
  /** What has to be looked after now and then: the dead and the expired. */
  const lookAfter = async (): Promise<void> => {
    if (performance.now() - reaped < reapMs) return
    reaped = performance.now()
    await reaper.reap(false)
    await reaper.expire()
    await store.write(function* () {
      yield queue.enqueue({})
    })
  }
  const failed = (error: unknown): void =>
    error instanceof StoreUnavailable
      ? log.warn({ err: error }, 'what waits cannot be looked after: the store is not available')
      : log.error({ err: error }, 'looking after what waits was interrupted')
  let probing: Promise<void> | undefined
  /** Whether silent channels answer again. Apart from the rest: it takes as long as they do. */
  const probe = (): void => {
    probing ??= breaker
      .probe(ask)
      .then(closed => {
        if (closed) for (const mode of ['live', 'test']) scheduler.wake(mode, Date.now())
      })
      .catch(failed)
      .finally(() => {
        probing = undefined
      })
  }
  const looking = createPeriodic(
    () => {
      probe()
      return lookAfter()
    },
    lookMs,
    log,
    failed
  )

  /** Takes messages that have been claimed for this process, with their turn. */
  const deliverClaimed: Work['deliver'] = (rows, permit) => {
    failpoint('after_claim')
    const [first] = rows
    if (first?.broadcast_id && batched(first.provider))
      hold(
        deliverAll(rows, permit),
        first.mode,
        rows.map(({ id }) => id)
      )
    else for (const row of rows) hold(inOrder(row, permit), row.mode, [row.id])
  }
  const freeSlots = (mode: string): number => most(mode) - inHand.size - executor.sending()

  return {
    start: async () => {
      await reaper.reap(store.dialect === 'sqlite')
      stopped = false
      scheduler.start({ freeSlots, deliver: deliverClaimed })
      looking.start()
    },
    deliverOwn: row => counted(deliver(row), row),
    failOver: row => (executor.redirected.has(row) ? counted(deliver(row), row) : row),
    stop: async () => {
      stopped = true
      const looked = looking.stop()
      await scheduler.stop()
      await looked
      await probing
      await Promise.all(inHand)
    }
  }
}
