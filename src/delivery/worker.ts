import type { Logger } from 'pino'
import type { Channels } from '../channels.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import type { MessageRow } from '../store/schema.ts'
import { all, type Store } from '../store/store.ts'
import { draftOf } from './draft.ts'
import type { Engine } from './engine.ts'
import type { Preparation } from './prepare.ts'
import type { MessageQueries } from './queries.ts'
import type { QueueQueries } from './queue.ts'
import { maxSetbacks, setbacks, setbacksOf, timelineEntry } from './timeline.ts'

export interface WorkerParts {
  store: Store
  queries: MessageQueries
  queue: QueueQueries
  channels: Channels
  preparation: Preparation
  engine: Engine
  log: Logger
  typeBase: string
}

export interface Worker {
  /** Settles what an earlier process left, then delivers what comes due until it is stopped. */
  start: () => Promise<void>
  /** A message falls due at this time (milliseconds). */
  wake: (dueAt: number) => void
  /** Delivers a row that the engine claimed for what comes after a refusal; any other is given back as it is. */
  carry: (row: MessageRow) => MessageRow | Promise<MessageRow>
  /** Takes no more; resolves when what it had taken is settled. */
  stop: () => Promise<void>
}

/** Messages in hand at a time. */
const hands = 10
/** The longest sleep: other replicas queue too, and leases run out without a word. */
const pollMs = 1000
/** Between messages that two processes died with: the one that is to blame must not have company at the third start. */
const apartMs = 2000
/** How often dead holders are looked for (RELIABILITY.md 3.1 rule 3). */
const reapMs = 5000

/** Delivers messages that waited: those held back by the provider, those with a start time, those a crash left behind. */
export function createWorker({
  store,
  queries,
  queue,
  channels,
  preparation,
  engine,
  log,
  typeBase
}: WorkerParts): Worker {
  let timer: NodeJS.Timeout | undefined
  let nextAt = Number.POSITIVE_INFINITY
  let running: Promise<void> | undefined
  /** Asked for while a round was running. */
  let wanted = Number.POSITIVE_INFINITY
  const inHand = new Set<Promise<void>>()
  let stopped = true
  let reaped = 0

  /** @param everything at the start of the only process there is: no lease needs to run out */
  const reap = async (everything: boolean): Promise<void> => {
    const poison = JSON.stringify(
      toMessageError(
        new ServiceError('internal', `${maxSetbacks} processes died with it in hand. Nothing was sent.`, {
          outcome: 'not_sent'
        }),
        typeBase,
        true
      )
    )
    const lost = JSON.stringify(
      toMessageError(
        new ServiceError('outcome_unknown', 'The process that was sending it died: it may have left.', {
          outcome: 'unknown'
        }),
        typeBase,
        true
      )
    )
    for (;;) {
      const sending = await store.read(queue.abandoned('sending', everything))
      const claimed = await store.read(queue.abandoned('claimed', everything))
      if (sending.length + claimed.length === 0) return
      await store.write(function* () {
        for (const row of sending) {
          const entry = timelineEntry(
            { state: 'unknown', attempts: row.attempts },
            'the process that was sending it died'
          )
          yield queue.forget({ id: row.id, attempts: row.attempts, error: lost, entry })
        }
        for (const [i, row] of claimed.entries()) {
          const before = setbacksOf(row)
          const failed: MessageRow = { ...row, state: 'failed', final: 1, failed_at: Date.now(), error: poison }
          if (before + 1 >= maxSetbacks) {
            yield queries.release({ ...failed, entry: timelineEntry(failed, setbacks.death) })
          } else {
            const entry = timelineEntry({ state: 'queued', attempts: row.attempts }, setbacks.death)
            const again = before === 0 ? row.run_at : Date.now() + i * apartMs
            yield queue.requeue({ id: row.id, lease: row.lease_until!, run_at: again, entry })
          }
        }
      })
      log.warn({ unknown: sending.length, requeued: claimed.length }, 'settled what a dead process had left')
    }
  }

  const deliver = async (row: MessageRow): Promise<MessageRow> => {
    const channel = await channels.bind(row.channel_id, row.mode)
    if (!channel) {
      const gone = `The channel ${row.channel_id} does not exist any more. Nothing was sent.`
      return engine.giveUp(row, new ServiceError('channel_rejected', gone))
    }
    try {
      const done = await engine.deliver(row, await preparation.prepare(draftOf(row), channel), channel)
      if (done.state === 'queued') wake(done.run_at)
      return await carry(done)
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        return engine.putBack(row, error)
      }
      // The provider could not be asked for the template just now: it waits again, its expiry is the limit.
      if (error.code === 'provider_unavailable' || error.code === 'rate_limited') {
        const later = Date.now() + 5000
        await store.write(function* () {
          yield queries.release({
            id: row.id,
            state: 'queued',
            final: 0,
            run_at: later,
            error: row.error,
            failed_at: null,
            lease_until: row.lease_until,
            entry: timelineEntry(row, error.message)
          })
        })
        wake(later)
        return { ...row, state: 'queued', run_at: later }
      }
      return engine.giveUp(row, error)
    }
  }

  /** Recursive with `deliver`, but not for long: each step uses up the fallback or a channel. */
  const carry: Worker['carry'] = row => (engine.redirected.has(row) ? deliver(row) : row)

  const take = (row: MessageRow): void => {
    const work: Promise<void> = deliver(row)
      .then(() => {})
      .catch(error => log.error({ err: error, message: row.id }, 'a delivery was interrupted: its lease decides'))
      .finally(() => {
        inHand.delete(work)
        wake(Date.now())
      })
    inHand.add(work)
  }

  const round = async (): Promise<void> => {
    if (performance.now() - reaped > reapMs) {
      reaped = performance.now()
      await reap(false)
      const entry = timelineEntry({ state: 'expired', attempts: 0 }, 'it could not be handed over in time')
      const expire = () =>
        store.write(function* () {
          return (yield queue.expireDue({ entry })).rows.length
        })
      for (let expired = await expire(); expired > 0 && !stopped; expired = await expire())
        log.info({ expired }, 'messages expired')
    }
    // One that is slow keeps one hand busy, and the next round is not for it to hold up.
    const limit = hands - inHand.size
    if (limit === 0 || stopped) return
    const rows = await store.write(function* () {
      const taken: MessageRow[] = []
      for (const head of yield* all(queue.heads({ from: '', to: '~' })))
        if (taken.length < limit)
          taken.push(
            ...(yield* all(queue.claim({ queue: head.queue, limit: limit - taken.length, lease_ms: engine.leaseMs })))
          )
      return taken
    })
    rows.forEach(take)
  }

  const tick = (): void => {
    timer = undefined
    nextAt = Number.POSITIVE_INFINITY
    if (stopped) return
    running = round()
      .catch(error => log.error({ err: error }, 'the delivery of waiting messages was interrupted'))
      .finally(() => {
        running = undefined
        const next = Math.min(wanted, Date.now() + pollMs)
        wanted = Number.POSITIVE_INFINITY
        wake(next)
      })
  }

  const wake = (dueAt: number): void => {
    if (running) wanted = Math.min(wanted, dueAt)
    if (stopped || running || dueAt >= nextAt) return
    clearTimeout(timer)
    nextAt = dueAt
    timer = setTimeout(tick, Math.min(Math.max(dueAt - Date.now(), 0), pollMs))
  }

  return {
    start: async () => {
      await reap(store.dialect === 'sqlite')
      stopped = false
      wake(Date.now())
    },
    wake,
    carry,
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
      await Promise.all(inHand)
    }
  }
}
