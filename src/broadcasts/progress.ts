import { setTimeout as wait } from 'node:timers/promises'
import type { Broadcast, BroadcastCounts } from '../../schemas/broadcasts.ts'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import { queueOf, queueQueries } from '../messages/queue.ts'
import type { QuietHours } from '../quiet-hours/index.ts'
import { beatMs, sse, sseBeat, sseBegin } from '../sse.ts'
import type { BroadcastRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import type { BroadcastQueries } from './queries.ts'
import { type Pace, toBroadcast, toCounts } from './view.ts'

/** Messages that were counted are good for so long: however many watch a broadcast, that is done once. */
const lookMs = 900
/** Between two looks of one watcher. */
const everyMs = 1000
/** The pace is that of the last so many milliseconds. */
const paceMs = 10_000
/** Hours open and closed that an end is looked for in: half a year of days. */
const mostSpans = 400
/** Looks that are remembered at most; what is forgotten costs a query and the pace so far. */
const mostLooks = 200

interface Look {
  at: number
  /** Of the row when they were counted: after its end they have to be those of its end. */
  stamp: string
  counts: Promise<BroadcastCounts>
  /** How many were handed over at which times, the oldest first. */
  marks: { at: number; done: number }[]
}

export interface Progress {
  /** The broadcast as it is, with what was counted within the last second. */
  look: (row: BroadcastRow) => Promise<Broadcast>
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

export function createProgress(store: Store, queries: BroadcastQueries, quietHours: QuietHours): Progress {
  const looks = new Map<string, Look>()
  const { dueTimes } = queueQueries(store)
  const all = new AbortController()

  const count = async (row: BroadcastRow, marks: Look['marks']): Promise<BroadcastCounts> => {
    const counts = toCounts(await store.read(queries.counts({ id: row.id })))
    const { queued, sending, canceled, expired } = counts
    const at = performance.now()
    marks.push({ at, done: row.total - queued - sending - canceled - expired })
    while (marks.length > 2 && marks[1]!.at < at - paceMs) marks.shift()
    return counts
  }
  const current = (row: BroadcastRow): Look => {
    const { id } = row
    const old = looks.get(id)
    const at = performance.now()
    const stamp = `${row.status} ${row.finished_at}`
    if (old && old.stamp === stamp && at - old.at < lookMs) return old
    const marks = old && at - old.at < paceMs ? old.marks : []
    looks.delete(id)
    if (looks.size >= mostLooks) looks.delete(looks.keys().next().value as string)
    const fresh: Look = { at, stamp, marks, counts: count(row, marks) }
    looks.set(id, fresh)
    fresh.counts.catch(() => looks.get(id) === fresh && looks.delete(id))
    return fresh
  }
  /** By what was seen lately, else by all since the start. */
  const paceOf = (row: BroadcastRow, counts: BroadcastCounts, marks: Look['marks']): Pace | undefined => {
    if (row.status !== 'running' || row.started_at === null) return undefined
    const [first, last] = [marks[0], marks.at(-1)]
    const lately = first && last && last.at - first.at > everyMs / 2
    const done = lately ? last.done - first.done : (last?.done ?? 0)
    const seconds = lately ? (last.at - first.at) / 1000 : (store.clock() - row.started_at) / 1000
    const perSecond = Math.round((10 * done) / Math.max(seconds, 0.1)) / 10
    const left = counts.queued + counts.sending
    return perSecond > 0 ? { perSecond, etaSeconds: Math.ceil(left / perSecond) } : { perSecond: 0 }
  }
  /** With a window: when the next one goes, and the end by the hours in which any do. */
  const withinWindow = async (row: BroadcastRow, { queued, sending }: BroadcastCounts, pace: Pace): Promise<Pace> => {
    const [times] = await store.read(dueTimes({ queue: queueOf({ ...row, lane: 1, broadcast_id: row.id }) }))
    const now = store.clock()
    if (!times || times.first === null || times.last === null) return pace
    const waits = Number(times.first) > now
    const { etaSeconds: _, ...rest } = pace
    const perSecond = pace.perSecond || row.rate_per_second || 0
    const end = endOf(row, Math.max(now, Number(times.first)), Number(times.last), (queued + sending) / perSecond)
    return {
      ...rest,
      ...(waits && { waitsUntil: Number(times.first) }),
      ...(end !== undefined && { etaSeconds: Math.ceil((end - now) / 1000) })
    }
  }
  /** When so many seconds of open hours are over; where each recipient has hours of its own, after the last of them begin. */
  const endOf = (row: BroadcastRow, from: number, last: number, seconds: number): number | undefined => {
    if (!Number.isFinite(seconds)) return undefined
    const window = JSON.parse(row.sending_window!) as SendingWindow
    let at = from
    let left = seconds * 1000
    for (let spans = 0; spans < mostSpans; spans++) {
      const span = quietHours.spanAt(window, at)
      if (!span) return Math.max(from, last) + left
      if (span.until === null) return undefined
      if (span.open && at + left <= span.until) return at + left
      if (span.open) left -= span.until - at
      at = span.until
    }
    return undefined
  }
  const look: Progress['look'] = async row => {
    const { counts: counting, marks } = current(row)
    const counts = await counting
    const pace = paceOf(row, counts, marks)
    const windowed = row.sending_window !== null && pace
    return toBroadcast(row, counts, windowed ? await withinWindow(row, counts, pace) : pace)
  }

  async function* events(id: string, signal: AbortSignal): AsyncGenerator<string> {
    const either = AbortSignal.any([signal, all.signal])
    let before = ''
    let beat = performance.now()
    yield sseBegin()
    for (;;) {
      const [row] = await store.read(queries.byId({ id }))
      if (!row) return
      const broadcast = await look(row)
      const text = JSON.stringify(broadcast)
      if (ended(broadcast)) {
        yield sse({ event: 'end', data: text })
        return
      }
      const now = performance.now()
      if (text !== before || now - beat > beatMs) {
        yield text === before ? sseBeat() : sse({ event: 'progress', data: text })
        beat = now
        before = text
      }
      await wait(everyMs, undefined, { signal: either, ref: false }).catch(() => undefined)
      if (either.aborted) return
    }
  }

  return {
    look,
    forget: id => looks.delete(id),
    events,
    stop: () => all.abort()
  }
}
