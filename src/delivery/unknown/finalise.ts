import type { Logger } from 'pino'
import { doubtMs, type UnknownQueries } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { createPeriodic } from '../../periodic.ts'
import { all, type Store } from '../../store/store.ts'

/** Ends the doubt: what is unknown for too long without any proof stays so, and is final. */
export interface Finaliser {
  /** Ends what is due; how many they were. */
  sweep: () => Promise<number>
  /** Sweeps now, in the background, and from then on every minute. */
  start: () => void
  /** Resolves when the sweep that runs has ended, at its next batch. */
  stop: () => Promise<void>
}

const everyMs = 60_000

export interface FinaliserParts {
  store: Store
  unknown: UnknownQueries
  notifications: Notifications
  log: Logger
}

/** Every replica does it: what another has ended is only not found. */
export function createFinaliser({ store, unknown, notifications, log }: FinaliserParts): Finaliser {
  let stopped = false

  const sweep = async (): Promise<number> => {
    const hours = doubtMs / 3600_000
    let count = 0
    for (let ended = -1; ended !== 0 && !stopped; count += ended) {
      const entry = timelineEntry(
        store.clock(),
        { state: 'unknown', attempts: 1 },
        `no proof within ${hours} hours: final`
      )
      const rows = await store.write(() => all(unknown.overdue({ before_ms: doubtMs, entry })))
      for (const { id } of rows) notifications.publish(id)
      ended = rows.length
    }
    if (count > 0) log.warn({ count }, 'messages stay unknown for good: no proof came')
    return count
  }
  const failure = 'the end of unknown messages could not be written: it is tried again'
  const repeating = createPeriodic(sweep, everyMs, log, failure)

  return {
    sweep,
    start: repeating.start,
    stop: () => {
      stopped = true
      return repeating.stop()
    }
  }
}
