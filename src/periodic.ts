import type { Logger } from 'pino'

/** Work that is done now and then in the background, one run at a time. */
export interface Periodic {
  /** Runs it now, and from then on each time that its interval has passed since the end of the last run. */
  start: () => void
  /** Resolves when the run that is under way has ended. */
  stop: () => Promise<void>
}

/** Work that somebody can also ask for. */
export interface Wakeable extends Periodic {
  /** There is something to do: runs it soon, and once more where it is just running. Before `start` and after `stop` it does nothing. */
  wake: () => void
}

/**
 * @param failure what the log says of a run that failed, or who says it; the next run is its repetition
 * @param gatherMs how long calls of `wake` are gathered, so that many of them make few runs
 */
export function createPeriodic(
  work: () => Promise<unknown>,
  everyMs: number,
  log: Logger,
  failure: string | ((error: unknown) => void),
  gatherMs = 0
): Wakeable {
  const failed = typeof failure === 'string' ? (error: unknown) => log.error({ err: error }, failure) : failure
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> | undefined
  let woken = false
  let stopped = true
  const runIn = (ms: number): void => {
    timer = setTimeout(run, ms).unref()
  }
  const run = (): void => {
    woken = false
    running = work()
      .catch(failed)
      .finally(() => {
        running = undefined
        if (!stopped) runIn(woken ? gatherMs : everyMs)
      })
  }
  return {
    start: () => {
      stopped = false
      run()
    },
    wake: () => {
      if (stopped || woken) return
      woken = true
      if (running) return
      clearTimeout(timer)
      runIn(gatherMs)
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    }
  }
}
