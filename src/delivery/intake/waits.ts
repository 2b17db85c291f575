import type { Logger } from 'pino'
import { awaitsSecond } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { lookAgainMs } from '../../messages/reads.ts'
import { lastUpstreamMs } from '../../messages/timeline.ts'
import { waited } from '../../request-trace.ts'
import type { MessageRow } from '../../store/schema.ts'
import { first, type Store } from '../../store/store.ts'
import type { Executor } from '../sending/attempt.ts'
import type { SendOptions } from './submit.ts'

export interface WaitParts {
  store: Store
  queries: MessageQueries
  executor: Pick<Executor, 'undone'>
  notifications: Notifications
  log: Logger
}

/** How long the POST that made a message waits for what becomes of it. */
export function createWaits({ store, queries, executor, notifications, log }: WaitParts) {
  /**
   * Waits for a send: the row after it, or as it stands when the caller's wait is over. From here on it exists: what fails
   * of ours is answered by what is known of it, never by a 5xx, which would invite a second send (docs/reliability.md 3.1 rule 6).
   */
  const waitFor = async (
    row: MessageRow,
    sent: Promise<MessageRow> | undefined,
    { waitMs, patient = false }: Pick<SendOptions, 'waitMs' | 'patient'>
  ): Promise<MessageRow> => {
    if (!sent) return waitMs === 0 ? row : turnOf(row, waitMs, patient)
    // respond-async is always a 202 (docs/api.md 4), however fast the provider is.
    if (waitMs === 0) {
      sent.catch(() => {}) // The row tells how it ended; the engine has logged why.
      return row
    }
    const end = performance.now() + waitMs
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<undefined>(resolve => (timer = setTimeout(() => resolve(undefined), waitMs)))
    const settled = await Promise.race([sent.catch(() => undefined), patience])
    clearTimeout(timer)
    if (!settled) return standing(row)
    // Its turn had passed, or it goes out once more.
    const waits = awaitsSecond(settled) || executor.undone.has(settled) || (patient && settled.state === 'queued')
    return waits ? turnOf(settled, end - performance.now(), patient) : settled
  }
  /** Reads the row as it is on disk: by a unit, since a bare read may run ahead of the disk, and what is answered must be on it. */
  const standing = async (row: MessageRow): Promise<MessageRow> => {
    try {
      return (await store.write(() => first(queries.byId({ id: row.id })))) ?? row
    } catch (error) {
      log.error({ err: error, message: row.id }, 'a message cannot be read: it is told as it was begun')
      return row
    }
  }
  /**
   * Waits for a queued message: the row once something came of it, here or in another replica. What the provider put off is
   * told at once, since it may take long and the caller knows what there is to know; but not to a patient one.
   */
  const turnOf = async (row: MessageRow, waitMs: number, patient: boolean): Promise<MessageRow> => {
    const begun = performance.now()
    const end = begun + waitMs
    for (let now = row; ; now = await standing(row)) {
      const left = end - performance.now()
      const turn = (now.state === 'queued' && (patient || now.attempts === 0)) || awaitsSecond(now)
      const waits = turn || now.state === 'claimed' || now.state === 'sending'
      if (!waits || left <= 0 || notifications.closed()) {
        waited(performance.now() - begun, now.attempts > row.attempts ? lastUpstreamMs(now) : 0)
        return now
      }
      await notifications.wait(row.id, Math.min(left, lookAgainMs))
    }
  }

  return { waitFor }
}
