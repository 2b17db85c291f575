import type { Logger } from 'pino'
import type { Channels } from '../channels.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import type { MessageRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { draftOf } from './draft.ts'
import type { Engine } from './engine.ts'
import type { Preparation } from './prepare.ts'
import type { MessageQueries } from './queries.ts'
import { timelineEntry } from './timeline.ts'

export interface WorkerParts {
  store: Store
  queries: MessageQueries
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
  /** Takes no more; resolves when what it had taken is settled. */
  stop: () => Promise<void>
}

/** Messages taken at a time. */
const batch = 10
/** The longest sleep: other replicas queue too, and leases run out without a word. */
const pollMs = 1000
/** How often dead holders are looked for (RELIABILITY.md 3.1 rule 3). */
const reapMs = 5000

/** Delivers messages that waited: those held back by the provider, those with a start time, those a crash left behind. */
export function createWorker({ store, queries, channels, preparation, engine, log, typeBase }: WorkerParts): Worker {
  let timer: NodeJS.Timeout | undefined
  let nextAt = Number.POSITIVE_INFINITY
  let running: Promise<void> | undefined
  let stopped = true
  let reaped = 0

  /** @param everything at the start of the only process there is: no lease needs to run out */
  const reap = async (everything: boolean): Promise<void> => {
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
      const sending = await store.read(queries.abandoned('sending', everything))
      const claimed = await store.read(queries.abandoned('claimed', everything))
      if (sending.length + claimed.length === 0) return
      await store.write(function* () {
        for (const row of sending) {
          const entry = timelineEntry(
            { state: 'unknown', attempts: row.attempts },
            'the process that was sending it died'
          )
          yield queries.forget({ id: row.id, attempts: row.attempts, error: lost, entry })
        }
        for (const row of claimed) yield queries.requeue({ id: row.id, lease: row.lease_until! })
      })
      log.warn({ unknown: sending.length, requeued: claimed.length }, 'settled what a dead process had left')
    }
  }

  const deliver = async (row: MessageRow): Promise<void> => {
    const channel = await channels.bind(row.channel_id, row.mode)
    if (!channel) {
      await engine.giveUp(
        row,
        new ServiceError('channel_rejected', `The channel ${row.channel_id} does not exist any more. Nothing was sent.`)
      )
      return
    }
    try {
      const done = await engine.deliver(row, await preparation.prepare(draftOf(row), channel), channel)
      if (done.state === 'queued') wake(done.run_at)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
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
        return wake(later)
      }
      await engine.giveUp(row, error)
    }
  }

  const round = async (): Promise<void> => {
    if (performance.now() - reaped > reapMs) {
      reaped = performance.now()
      await reap(false)
      const expired = await store.write(function* () {
        const entry = timelineEntry({ state: 'expired', attempts: 0 }, 'it could not be handed over in time')
        return (yield queries.expireDue({ entry })).rows.length
      })
      if (expired > 0) log.info({ expired }, 'messages expired')
    }
    for (;;) {
      const rows = await store.write(function* () {
        return (yield queries.claim({ limit: batch, lease_ms: engine.leaseMs })).rows as MessageRow[]
      })
      await Promise.all(rows.map(deliver))
      if (rows.length < batch || stopped) break
    }
  }

  const tick = (): void => {
    timer = undefined
    nextAt = Number.POSITIVE_INFINITY
    if (stopped) return
    running = round()
      .catch(error => log.error({ err: error }, 'the delivery of waiting messages was interrupted'))
      .finally(() => {
        running = undefined
        wake(Date.now() + pollMs)
      })
  }

  const wake = (dueAt: number): void => {
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
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    }
  }
}
