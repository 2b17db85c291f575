import type { Caller } from '../keys/caller.ts'
import type { UsageCallsRow } from '../store/schema-usage.ts'
import type { Store } from '../store/store.ts'

export interface Calls {
  /** Counts a request, in memory. */
  count: (caller: Pick<Caller, 'mode' | 'service'>) => void
  /** Adds what was counted to the store. What cannot be added now is with the next. */
  flush: () => Promise<void>
}

const dayMs = 24 * 3600_000

/** Counts requests by day and service. A write for each would cost more than most of them do. */
export function createCalls(store: Store): Calls {
  const { build } = store
  let counts = new Map<string, UsageCallsRow>()
  let day = ''
  let until = 0
  const today = (): string => {
    const now = store.clock()
    if (now >= until) {
      day = new Date(now).toISOString().slice(0, 10)
      until = Date.parse(day) + dayMs
    }
    return day
  }
  const add = (row: UsageCallsRow): void => {
    const key = `${row.day} ${row.mode} ${row.service}`
    const known = counts.get(key)
    if (known) known.count += row.count
    else counts.set(key, { ...row })
  }
  return {
    count: ({ mode, service }) => add({ day: today(), mode, service, count: 1 }),
    flush: async () => {
      if (counts.size === 0) return
      const rows = [...counts.values()].sort((one, other) => (one.service < other.service ? -1 : 1))
      counts = new Map()
      const upsert = (row: UsageCallsRow) =>
        build
          .insertInto('usage_calls')
          .values(row)
          .onConflict(conflict =>
            conflict
              .columns(['day', 'mode', 'service'])
              .doUpdateSet(eb => ({ count: eb('usage_calls.count', '+', row.count) }))
          )
          .compile()
      try {
        await store.write(function* () {
          for (const row of rows) yield upsert(row)
        })
      } catch (error) {
        for (const row of rows) add(row)
        throw error
      }
    }
  }
}
