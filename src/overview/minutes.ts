import type { Mode } from '../../schemas/common.ts'
import type { Store } from '../store/store.ts'
import type { OverviewQueries } from './queries.ts'

const minuteMs = 60_000
const shown = 60
/** A send that has just been answered may be written a moment later, with the time of the answer. */
const lateMs = 3000

export interface Counted {
  whole: number[]
  current: number
  /** How long that one has lasted, in seconds. */
  currentSeconds: number
}

export interface Minutes {
  /** Accepted messages in each of the last 60 whole minutes, oldest first, and in the one that is not over. */
  of: (channel: string, mode: Mode, now: number) => Promise<Counted>
}

/** Counts each minute once it is over, and keeps the number: a look costs the messages of one minute, not of the hour. */
export function createMinutes(store: Store, queries: OverviewQueries): Minutes {
  const kept = new Map<string, Map<number, number>>()
  return {
    of: async (channel, mode, now) => {
      const key = `${mode}/${channel}`
      const last = Math.floor((now - lateMs) / minuteMs) - 1
      const first = last - shown + 1
      const counts = kept.get(key) ?? new Map<number, number>()
      for (const minute of counts.keys()) if (minute < first) counts.delete(minute)
      const missing = Array.from({ length: shown }, (_, i) => first + i).filter(minute => !counts.has(minute))
      if (missing.length > 0) {
        const span = { from: missing[0]! * minuteMs, to: (missing.at(-1)! + 1) * minuteMs }
        const rows = await store.read(queries.accepted({ channel, mode, ...span }))
        const found = new Map(rows.map(({ minute, count }) => [Number(minute), Number(count)]))
        for (const minute of missing) counts.set(minute, found.get(minute) ?? 0)
        kept.set(key, counts)
      }
      const since = (last + 1) * minuteMs
      const rest = await store.read(queries.accepted({ channel, mode, from: since, to: now + minuteMs }))
      return {
        whole: Array.from({ length: shown }, (_, i) => counts.get(first + i) ?? 0),
        current: rest.reduce((sum, { count }) => sum + Number(count), 0),
        currentSeconds: Math.max(1, (now - since) / 1000)
      }
    }
  }
}
