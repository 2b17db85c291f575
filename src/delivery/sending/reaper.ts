import type { Logger } from 'pino'
import { ServiceError, toMessageError } from '../../errors.ts'
import { inDoubt, unknownQueries, wantsOnceMore } from '../../messages/doubt.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import type { QueueQueries } from '../../messages/queue.ts'
import { doubts, setbacks, setbacksOf, timelineEntry } from '../../messages/timeline.ts'
import type { Metrics } from '../../metrics.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { afterDeathMs, retryPolicy } from '../retry-policy.ts'

export interface Reaper {
  /**
   * Settles what dead processes held: what was only claimed waits again, what may have left is unknown.
   * @param everything at the start of the only process there is: no lease needs to run out
   */
  reap: (everything: boolean) => Promise<void>
  /** Ends what could not be handed over in time. */
  expire: () => Promise<void>
}

export interface ReaperParts {
  store: Store
  queries: MessageQueries
  queue: QueueQueries
  metrics: Metrics
  log: Logger
  typeBase: string
  /** Whole deadline of one provider call. */
  timeoutMs: number
}

export function createReaper({ store, queries, queue, metrics, log, typeBase, timeoutMs }: ReaperParts): Reaper {
  const error = (code: 'internal' | 'outcome_unknown', detail: string, outcome: 'not_sent' | 'unknown') =>
    JSON.stringify(toMessageError(new ServiceError(code, detail, { outcome }), typeBase, true))
  const poison = error(
    'internal',
    `${retryPolicy.mostSetbacks} processes died with it in hand. Nothing was sent.`,
    'not_sent'
  )
  const once = unknownQueries(store)
  const lost = error('outcome_unknown', 'The process that was sending it died: it may have left.', 'unknown')

  return {
    reap: async everything => {
      for (;;) {
        const sending = await store.read(queue.abandoned('sending', everything))
        const claimed = await store.read(queue.abandoned('claimed', everything))
        if (sending.length + claimed.length === 0) return
        await store.write(function* () {
          for (const row of sending) {
            const { id, attempts } = row
            if (wantsOnceMore(row)) {
              const entry = timelineEntry(
                store.clock(),
                { state: 'queued', attempts },
                `${doubts.death}. ${doubts.again}`
              )
              yield once.again({ id, attempts, error: lost, delay_ms: afterDeathMs(timeoutMs), entry })
            } else {
              const entry = timelineEntry(store.clock(), { state: 'unknown', attempts }, doubts.death)
              yield queue.forget({ id, attempts, error: lost, entry })
            }
          }
          for (const [i, row] of claimed.entries()) {
            const before = setbacksOf(row)
            const now = store.clock()
            const failed = inDoubt({ ...row, state: 'failed', final: 1, failed_at: now, error: poison }, now, typeBase)
            if (before + 1 >= retryPolicy.mostSetbacks) {
              yield queries.release({ ...failed, entry: timelineEntry(store.clock(), failed, setbacks.death) })
            } else {
              const entry = timelineEntry(store.clock(), { state: 'queued', attempts: row.attempts }, setbacks.death)
              const again = before === 0 ? row.run_at : store.clock() + i * retryPolicy.apartMs
              yield queue.requeue({ id: row.id, lease: row.lease_until!, run_at: again, entry })
            }
          }
        })
        for (const row of sending) if (!wantsOnceMore(row)) metrics.message(row.channel_id, 'unknown')
        log.warn({ unknown: sending.length, requeued: claimed.length }, 'settled what a dead process had left')
      }
    },
    expire: async () => {
      const late = 'it could not be handed over in time'
      const entry = timelineEntry(store.clock(), { state: 'expired', attempts: 0 }, late)
      const doubt = timelineEntry(store.clock(), { state: 'unknown', attempts: 1 }, `${late} again`)
      for (;;) {
        const expired = await store.write(function* () {
          return (yield queue.expireDue({ entry, doubt })).rows as MessageRow[]
        })
        if (expired.length === 0) return
        for (const { channel_id, state } of expired) metrics.message(channel_id, state)
        log.info({ expired: expired.length }, 'messages expired')
      }
    }
  }
}
