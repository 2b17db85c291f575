import type { Logger } from 'pino'
import { ServiceError, toMessageError } from '../../errors.ts'
import { inDoubt } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { setbacks, setbacksOf, timelineEntry } from '../../messages/timeline.ts'
import type { Metrics } from '../../metrics.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, first, type Store, StoreUnavailable } from '../../store/store.ts'
import { afterOwnFaultMs, retryPolicy } from '../retry-policy.ts'

/** What becomes of claimed messages of which nothing has left. */
export interface Release {
  /** claimed → failed: it cannot be sent any more, and nothing of it was. */
  fail: (row: MessageRow, error: ServiceError) => Promise<MessageRow>
  /** claimed → queued after a fault of ours before the write; at the third one failed. The store's faults do not count. */
  requeueAfterFault: (row: MessageRow, error: unknown) => Promise<MessageRow>
  /** claimed → queued where the provider could not be asked just now, or there was no turn: expiry is the limit. Where they are not ours any more, they stay as they are. */
  putOff: (rows: MessageRow[], error: ServiceError) => Promise<MessageRow[]>
  /** claimed → queued as it was, to be taken again at once. Where it is not ours any more, it stays as it is. */
  putBack: (row: MessageRow) => Promise<MessageRow>
}

export interface ReleaseParts {
  store: Store
  queries: MessageQueries
  notifications: Notifications
  metrics: Metrics
  log: Logger
  /** What stands before /errors#code in a stored error. */
  typeBase: string
}

export function createRelease(parts: ReleaseParts): Release {
  const { store, queries, notifications, metrics, log, typeBase } = parts

  const fail: Release['fail'] = async (row, error) => {
    const words = JSON.stringify(toMessageError(error, typeBase, true))
    const now = store.clock()
    const next = inDoubt({ ...row, state: 'failed', final: 1, failed_at: now, error: words }, now, typeBase)
    await store.write(function* () {
      yield queries.release({ ...next, entry: timelineEntry(store.clock(), next, error.message) })
    })
    metrics.message(next.channel_id, next.state)
    return (await store.read(queries.byId({ id: row.id })))[0] ?? next
  }

  const requeueAfterFault: Release['requeueAfterFault'] = async (row, error) => {
    log.error({ err: error, message: row.id }, 'a message could not be made ready')
    const outage = error instanceof StoreUnavailable
    const count = setbacksOf(row) + 1
    if (!outage && count >= retryPolicy.mostSetbacks)
      return fail(
        row,
        new ServiceError('internal', 'Switchboard could not make it ready, again and again. Nothing was sent.', {
          outcome: 'not_sent'
        })
      )
    const next: MessageRow = { ...row, state: 'queued', run_at: store.clock() + afterOwnFaultMs(count) }
    const entry = timelineEntry(store.clock(), next, outage ? 'the store could not be read' : setbacks.fault)
    await store.write(function* () {
      yield queries.release({ ...next, entry })
    })
    return next
  }

  const putOff: Release['putOff'] = async (rows, { message }) => {
    // Stopping is no reason to wait: another process may have them at once.
    const later = notifications.closed() ? undefined : store.clock() + retryPolicy.laterMs
    const waiting = rows.map((row): MessageRow => ({ ...row, state: 'queued', run_at: later ?? row.run_at }))
    await store.write(function* () {
      for (const next of waiting) yield queries.release({ ...next, entry: timelineEntry(store.clock(), next, message) })
    })
    for (const { id } of waiting) notifications.publish(id)
    return waiting
  }

  const putBack: Release['putBack'] = async row => {
    const next: MessageRow = { ...row, state: 'queued' }
    const entry = timelineEntry(
      store.clock(),
      next,
      'its turn, or that of one before it, had passed: it waits for another'
    )
    return store.write(function* () {
      const ours = (yield* change(queries.release({ ...next, entry }))) > 0
      return ours ? next : ((yield* first(queries.byId({ id: row.id }))) ?? next)
    })
  }

  return { fail, requeueAfterFault, putOff, putBack }
}
