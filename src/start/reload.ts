import type { Logger } from 'pino'

/** Something that is read again when the process is told to (SIGHUP), whole or not at all. */
export interface Reloadable {
  /** Names it in the log and in /readyz, as in: the channels file. */
  what: string
  /** Reads and applies it. Throws an error with a sentence, without secrets: what was there goes on then. */
  read: () => Promise<void>
}

export interface Reload {
  /** Has something read again from now on. */
  add: (reloadable: Reloadable) => void
  /** Reads everything again, one after the other: what fails keeps none of the others from it. One run at a time. */
  run: () => Promise<void>
  /** Words for /readyz; null: everything was taken when it was read last. */
  degraded: () => Promise<string | null>
}

/** Reads again what an operator changes in files while the server runs. */
export function createReload(log: Logger): Reload {
  const all: Reloadable[] = []
  const refused = new Map<string, string>()
  const one = async ({ what, read }: Reloadable): Promise<void> => {
    try {
      await read()
      refused.delete(what)
      log.info(`SIGHUP: ${what} was read again`)
    } catch (error) {
      refused.set(what, (error as Error).message)
      log.error({ err: error }, `SIGHUP: ${what} was not applied, what was there goes on`)
    }
  }
  let running = Promise.resolve()
  return {
    add: reloadable => void all.push(reloadable),
    run: () => {
      running = running.then(async () => {
        if (all.length === 0) log.info('SIGHUP: there is no file to read again')
        for (const reloadable of all) await one(reloadable)
      })
      return running
    },
    degraded: async () => {
      const [first] = refused
      return first ? `${first[0]} was not applied, what was there goes on: ${first[1]}` : null
    }
  }
}
