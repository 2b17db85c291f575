import { setTimeout as wait } from 'node:timers/promises'
import type { Broadcast, BroadcastCounts } from '../../schemas/broadcasts.ts'
import type { BroadcastRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { BroadcastQueries } from './queries.ts'
import { type Pace, toBroadcast, toCounts } from './view.ts'

/** A look at one broadcast is good for so long: however many watch it, the database is asked once. */
const lookMs = 900
/** Between two looks of one watcher. */
const everyMs = 1000
/** Silence of so long would be taken for a dead connection by what stands between. */
const beatMs = 15_000
/** The pace is that of the last so many milliseconds. */
const paceMs = 10_000
/** Looks that are remembered at most; what is forgotten costs a query and the pace so far. */
const mostLooks = 200

interface Look {
  at: number
  seen: Promise<{ row: BroadcastRow; counts: BroadcastCounts } | undefined>
  /** How many were handed over at which times, the oldest first. */
  marks: { at: number; done: number }[]
}

export interface Progress {
  /** The broadcast as it is, or was less than a second ago; undefined: there is none. */
  look: (id: string) => Promise<Broadcast | undefined>
  /** It has just been changed: the next look is a new one. */
  forget: (id: string) => void
  /** Server-sent events until it has ended, the signal is given or all are stopped. */
  events: (id: string, signal: AbortSignal) => AsyncGenerator<string>
  /** Ends every stream of events. */
  stop: () => void
}

/** Whether nothing changes any more but by a late word from the provider, or a retry. */
const ended = ({ status, finishedAt }: Broadcast): boolean =>
  finishedAt !== undefined && (status === 'finished' || status === 'failed' || status === 'canceled')

const event = (name: string, text: string): string => `event: ${name}\ndata: ${text}\n\n`

export function createProgress(store: Store, queries: BroadcastQueries): Progress {
  const looks = new Map<string, Look>()
  const all = new AbortController()

  const ask = async (id: string, marks: Look['marks']) => {
    const [row] = await store.read(queries.byId({ id }))
    if (!row || row.status === 'draft') return undefined
    const counts = toCounts(await store.read(queries.counts({ id })))
    const { queued, sending, canceled, expired } = counts
    const at = performance.now()
    marks.push({ at, done: row.total - queued - sending - canceled - expired })
    while (marks.length > 2 && marks[1]!.at < at - paceMs) marks.shift()
    return { row, counts }
  }
  const current = (id: string): Look => {
    const old = looks.get(id)
    const at = performance.now()
    if (old && at - old.at < lookMs) return old
    const marks = old && at - old.at < paceMs ? old.marks : []
    looks.delete(id)
    if (looks.size >= mostLooks) looks.delete(looks.keys().next().value as string)
    const fresh: Look = { at, marks, seen: ask(id, marks) }
    looks.set(id, fresh)
    fresh.seen.catch(() => looks.get(id) === fresh && looks.delete(id))
    return fresh
  }
  /** By what was seen lately, else by all since the start. */
  const paceOf = (row: BroadcastRow, counts: BroadcastCounts, marks: Look['marks']): Pace | undefined => {
    if (row.status !== 'running' || row.started_at === null) return undefined
    const [first, last] = [marks[0], marks.at(-1)]
    const lately = first && last && last.at - first.at > everyMs / 2
    const done = lately ? last.done - first.done : (last?.done ?? 0)
    const seconds = lately ? (last.at - first.at) / 1000 : (Date.now() - row.started_at) / 1000
    const perSecond = Math.round((10 * done) / Math.max(seconds, 0.1)) / 10
    const left = counts.queued + counts.sending
    return perSecond > 0 ? { perSecond, etaSeconds: Math.ceil(left / perSecond) } : { perSecond: 0 }
  }
  const look: Progress['look'] = async id => {
    const { seen, marks } = current(id)
    const found = await seen
    return found && toBroadcast(found.row, found.counts, paceOf(found.row, found.counts, marks))
  }

  async function* events(id: string, signal: AbortSignal): AsyncGenerator<string> {
    const either = AbortSignal.any([signal, all.signal])
    let before = ''
    let beat = performance.now()
    yield 'retry: 3000\n\n'
    for (;;) {
      const broadcast = await look(id)
      if (!broadcast) return
      const text = JSON.stringify(broadcast)
      if (ended(broadcast)) {
        yield event('end', text)
        return
      }
      const now = performance.now()
      if (text !== before || now - beat > beatMs) {
        yield text === before ? ': nothing new\n\n' : event('progress', text)
        beat = now
        before = text
      }
      await wait(everyMs, undefined, { signal: either, ref: false }).catch(() => undefined)
      if (either.aborted) return
    }
  }

  return {
    look,
    forget: id => looks.get(id) && looks.set(id, { ...looks.get(id)!, at: Number.NEGATIVE_INFINITY }),
    events,
    stop: () => all.abort()
  }
}
