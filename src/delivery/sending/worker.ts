import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Channels } from '../../channels/channels.ts'
import { free, type Permit } from '../../dispatch/admission.ts'
import { ServiceError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import type { QueueQueries } from '../../messages/queue.ts'
import { createPeriodic } from '../../periodic.ts'
import type { MessageRow } from '../../store/schema.ts'
import { type Store, StoreUnavailable } from '../../store/store.ts'
import type { Ask, CircuitBreaker } from '../scheduling/circuit-breaker.ts'
import type { Scheduler, Work } from '../scheduling/scheduler.ts'
import type { Executor } from './attempt.ts'
import { createOrder, type Place } from './order.ts'
import type { Reaper } from './reaper.ts'

export interface WorkerParts {
  store: Store
  queue: QueueQueries
  channels: Channels
  executor: Executor
  scheduler: Scheduler
  reaper: Reaper
  breaker: CircuitBreaker
  /** Whether a provider takes a broadcast's messages many in one call. */
  batched: (provider: string) => boolean
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
  /** Delivers a row that the executor claimed for what comes after a refusal; any other is given back as it is. */
  failOver: (row: MessageRow) => MessageRow | Promise<MessageRow>
  /** Takes no more; resolves when what it had taken is settled. */
  stop: () => Promise<void>
}

/** How often dead holders are looked for (docs/reliability.md 3.1 rule 3). */
const reapMs = 5000
/** How often the way of what is held up is looked at. */
const lookMs = 1000
/** How long a message to somebody waits for those before it. */
const orderMs = 1000
const orderSteps = 5

const isNumbered = ({ user_id }: MessageRow): boolean => user_id === null
/** One after the other, in their order. */
async function eachOf(
  rows: MessageRow[],
  act: (row: MessageRow) => MessageRow | Promise<MessageRow>
): Promise<MessageRow[]> {
  const done: MessageRow[] = []
  for (const row of rows) done.push(await act(row))
  return done
}

/** Delivers messages that waited: those held back by pace or provider, those with a start time, those a crash left behind. */
export function createWorker(parts: WorkerParts): Worker {
  const { store, queue, channels, executor, scheduler, reaper, breaker, batched, ask, most, log } = parts
  const inHand = new Set<Promise<void>>()

  /** Delivers claimed messages of one channel, and goes on with those that a refusal sends elsewhere. */
  const deliver = async (
    how: 'alone' | 'together',
    rows: MessageRow[],
    permit?: Permit,
    place?: Place
  ): Promise<MessageRow[]> => {
    try {
      const { channel_id, mode } = rows[0]!
      const channel = await channels.bind(channel_id, mode)
      if (!channel) {
        const detail = `The channel ${channel_id} does not exist any more. Nothing was sent.`
        const gone = new ServiceError('channel_rejected', detail)
        if (await channels.isMissing(channel_id)) return await executor.putOff(rows, gone)
        return await eachOf(rows, row => executor.fail(row, gone))
      }
      const done = await executor.deliver(how, rows, channel, permit, place)
      for (const { state, run_at } of done) if (state === 'queued') scheduler.wake(mode, run_at)
      return await eachOf(done, failOver)
    } catch (error) {
      // Only messages that are still claimed change; the others are past that, or settled.
      return eachOf(rows, row => executor.requeueAfterFault(row, error))
    }
  }
  const deliverOne = async (row: MessageRow, permit?: Permit, place?: Place): Promise<MessageRow> =>
    (await deliver('alone', [row], permit, place))[0]!

  /** Delivers messages of one broadcast in one call; it names people by number, so a message to somebody without one goes alone. */
  const deliverMany = async (rows: MessageRow[], permit: Permit): Promise<void> => {
    const numbered = rows.filter(isNumbered)
    if (numbered.length > 0) await deliver('together', numbered, permit)
    for (const row of rows) if (!isNumbered(row)) await deliverOne(row)
  }

  /** Recursive with `deliver`, but not for long: each step uses up the fallback or a channel. */
  const failOver: Worker['failOver'] = row => (executor.redirected.has(row) ? deliverOne(row) : row)

  const order = createOrder({
    // In steps: while this process stands still nobody can leave, and that is no sign of hanging.
    patience: async () => {
      for (let i = 0; i < orderSteps; i++) await sleep(orderMs / orderSteps, undefined, { ref: false })
    },
    passed: ({ id }) => log.info({ message: id }, 'a message takes long: those after it to the same person pass it')
  })
  /** Messages to one person leave in their order; one that hangs does not keep the next for long. */
  const inOrder = async (row: MessageRow, permit: Permit): Promise<void> => {
    const place = order.take(row)
    try {
      // With a pace many may be on their way, and each waits for those before it to leave; without one, for their answers.
      const paced = permit !== free
      if (!paced && !(await place.reached())) {
        await executor.putBack(row)
        place.back()
        return
      }
      const done = await deliverOne(row, permit, paced ? place : undefined)
      if (done.state === 'queued' && done.run_at === row.run_at) place.back()
      if (row.attempts > 0 && done.state !== 'queued') scheduler.ended()
    } finally {
      place.end()
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
        deliverMany(rows, permit),
        first.mode,
        rows.map(({ id }) => id)
      )
    else for (const row of rows) hold(inOrder(row, permit), row.mode, [row.id])
  }
  const freeSlots = (mode: string): number => most(mode) - inHand.size - executor.sending()

  return {
    start: async () => {
      await reaper.reap(store.dialect === 'sqlite')
      scheduler.start({ freeSlots, deliver: deliverClaimed })
      looking.start()
    },
    deliverOwn: row => counted(deliverOne(row), row),
    failOver: row => (executor.redirected.has(row) ? counted(deliverOne(row), row) : row),
    stop: async () => {
      const looked = looking.stop()
      await scheduler.stop()
      await looked
      await probing
      await Promise.all(inHand)
    }
  }
}
