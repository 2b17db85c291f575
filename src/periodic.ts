import type { Logger } from 'pino'

/** Work that is done now and then in the background, one run at a time. */
export interface Periodic {
  /** Runs it now, and from then on at its interval. */
  start: () => void
  /** Resolves when the run that is under way has ended. */
  stop: () => Promise<void>
}

/** @param failure what the log says of a run that failed; the next one is its repetition */
export function createPeriodic(work: () => Promise<unknown>, everyMs: number, log: Logger, failure: string): Periodic {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> | undefined
  const run = (): void => {
    running ??= work()
      .catch(error => log.error({ err: error }, failure))
      .finally(() => {
        running = undefined
      })
  }
  return {
    start: () => {
      run()
      timer = setInterval(run, everyMs).unref()
    },
    stop: async () => {
      clearInterval(timer)
      await running
    }
  }
}
