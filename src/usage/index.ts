import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { Usage, UsageQuery } from '../../schemas/usage.ts'
import type { Config } from '../config.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import type { Store } from '../store/store.ts'
import { type Calls, createCalls } from './calls.ts'
import { fold, forgetUsage } from './counters.ts'
import { createReport, toCsv } from './report.ts'

export interface UsageRoom extends Periodic {
  /** Counts a request that was answered. */
  called: Calls['count']
  /** @throws 400 where the days are not in order */
  report: (query: UsageQuery) => Promise<Usage>
  /** Tells it as a table. */
  csv: (query: UsageQuery) => Promise<Readable>
}

/** How old the calls of a process that is killed may be, which nobody has counted then. */
const everyMs = 5000
const dayMs = 24 * 3600_000

/** What was used, from counters that the store keeps in the commit of each change. */
export function assembleUsage(
  store: Store,
  { MATON_RATE_PER_SECOND, KEEP_ROWS_DAYS }: Pick<Config, 'MATON_RATE_PER_SECOND' | 'KEEP_ROWS_DAYS'>,
  log: Logger
): UsageRoom {
  const calls = createCalls(store)
  const report = createReport(store, MATON_RATE_PER_SECOND)
  let forgotten = ''
  const tend = async (): Promise<void> => {
    await calls.flush()
    await fold(store)
    const oldest = new Date(store.clock() - KEEP_ROWS_DAYS * dayMs).toISOString().slice(0, 10)
    if (oldest === forgotten) return
    await forgetUsage(store, oldest)
    forgotten = oldest
  }
  const tending = createPeriodic(tend, everyMs, log, 'usage could not be counted up: it is tried again')
  const fresh = async (query: UsageQuery): Promise<Usage> => {
    await calls.flush()
    return report(query)
  }
  return {
    called: calls.count,
    report: fresh,
    csv: async query => toCsv(await fresh(query)),
    start: tending.start,
    stop: async () => {
      await tending.stop()
      await calls.flush().catch(error => log.warn({ err: error }, 'the last calls could not be counted'))
    }
  }
}
