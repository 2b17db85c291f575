import type { MessageRow } from '../store/schema.ts'
import { mostLookedAt } from './queries.ts'

interface StoredError {
  code?: string
  detail?: string
  provider?: { name?: string; code?: string; status?: number | null }
}

const read = (error: string | null): StoredError => (error === null ? {} : (JSON.parse(error) as StoredError))

/** The longest a cause may be: it is a heading, and comes from outside. */
const longest = 120

function counted<T extends object>(all: readonly T[]): (T & { count: number })[] {
  const byKey = new Map<string, T & { count: number }>()
  for (const one of all) {
    const key = JSON.stringify(one)
    const found = byKey.get(key)
    if (found) found.count++
    else byKey.set(key, { ...one, count: 1 })
  }
  return [...byKey.values()].sort((a, b) => b.count - a.count)
}

/** Why messages failed: the code, and who said so. */
export function failuresOf(rows: readonly Pick<MessageRow, 'error'>[]) {
  const seen = rows.slice(0, mostLookedAt)
  const reasons = seen.map(({ error }) => {
    const { code = 'internal', provider } = read(error)
    return { code, by: provider?.name?.slice(0, longest) ?? 'switchboard' }
  })
  return { lastHour: seen.length, more: rows.length > mostLookedAt, codes: counted(reasons) }
}

/** What made a message unknown, in a few words: the status that came back, else what the timeline says of it. */
export function causeOf({ error, timeline }: Pick<MessageRow, 'error' | 'timeline'>): string {
  const lines = timeline.trimEnd().split('\n')
  const doubt = lines.findLast(line => line.includes('"status":"unknown"'))
  const { detail, upstreamStatus } = doubt ? (JSON.parse(doubt) as { detail?: string; upstreamStatus?: number }) : {}
  const words = (detail ?? read(error).detail ?? 'no cause was kept').slice(0, longest)
  return upstreamStatus === undefined ? words : `${upstreamStatus}: ${words}`
}

/** The causes of what nobody knows the end of, the commonest first. */
export const causesOf = (rows: readonly Pick<MessageRow, 'error' | 'timeline'>[]) =>
  counted(rows.map(row => ({ cause: causeOf(row) })))
