import { type RawBuilder, sql } from 'kysely'
import type { MessageStatus, Timeline } from '../../schemas/messages.ts'
import type { CallRecord } from '../dispatch/provider-client.ts'
import type { MessageRow } from '../store/schema.ts'

// A message's timeline is a column of its row, one JSON object a line: it is written by the very statement that changes
// the state, so the two cannot differ, and a table of its own would cost every send two more inserts.

interface Line {
  at: number
  status: MessageStatus
  attempt: number
  upstreamStatus?: number
  upstreamMs?: number
  traceId?: string
  detail?: string
}

/** Adds a line to the timeline, in the statement that changes the row. */
export const told = (entry: string): RawBuilder<string> => sql<string>`timeline || cast(${entry} as text)`

/**
 * One line for the change that a row is just undergoing.
 * @param at when, by the store's clock: what may still be asleep is judged by it (docs/reliability.md 3.1 rule 8)
 */
export function timelineEntry(
  at: number,
  change: { state: MessageRow['state']; attempts: number },
  detail?: string | null,
  record?: CallRecord
): string {
  const line: Line = {
    at,
    // What is claimed waits for its turn, as callers see it.
    status: change.state === 'claimed' ? 'queued' : change.state,
    attempt: change.attempts
  }
  if (record?.status !== undefined) line.upstreamStatus = record.status
  if (record) line.upstreamMs = Math.round(record.ms)
  if (record?.traceId !== undefined) line.traceId = record.traceId
  if (detail) line.detail = detail
  return `${JSON.stringify(line)}\n`
}

/** What the timeline says of a start that came to nothing before anything was written, by a fault of ours. */
export const setbacks = {
  fault: 'it could not be made ready: a fault of ours',
  death: 'the process that had it in hand died'
} as const
export const setbacksOf = (row: Pick<MessageRow, 'timeline'>): number => {
  const words: (string | undefined)[] = Object.values(setbacks)
  const lines = row.timeline.split('\n').filter(Boolean)
  return lines.filter(line => words.includes((JSON.parse(line) as Line).detail)).length
}

/** What the timeline says where nobody knows how an attempt ended. */
export const doubts = {
  death: 'the process that was sending it died',
  again: 'Nobody knows whether it arrived: it is sent once more, as onUnknown asks.'
} as const

/** One attempt that may have reached the provider: from the commit before its write until it was given up. */
export interface Doubt {
  from: number
  to: number
  /** Whether its process was taken for dead: it may only sleep, and wake before its write. */
  lost: boolean
}

/** When each attempt was begun. */
export const attemptsOf = (row: Pick<MessageRow, 'timeline'>): number[] =>
  row.timeline.split('\n').flatMap(text => {
    const line = text === '' ? undefined : (JSON.parse(text) as Line)
    return line?.status === 'sending' ? [line.at] : []
  })

/** Whether an attempt that was not taken back was begun after the last line that says this. */
export function begunSince(row: Pick<MessageRow, 'timeline' | 'attempts'>, detail: string): boolean {
  const lines = row.timeline.split('\n').flatMap(text => (text === '' ? [] : [JSON.parse(text) as Line]))
  return row.attempts > (lines.findLast(line => line.detail === detail)?.attempt ?? row.attempts)
}

/** Every attempt of which nobody knows how it ended, oldest first. */
export function doubtsOf(row: Pick<MessageRow, 'timeline'>): Doubt[] {
  const found: Doubt[] = []
  let open: Line | undefined
  for (const text of row.timeline.split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text) as Line
    const { status, at, attempt, detail = '' } = line
    if (status === 'sending') open = line
    // What is told of an earlier attempt meanwhile says nothing of this one.
    else if (open && attempt >= open.attempt) {
      const doubtful = status === 'unknown' || (status === 'queued' && detail.includes(doubts.again))
      if (doubtful) found.push({ from: open.at, to: at, lost: detail.includes(doubts.death) })
      open = undefined
    }
  }
  return found
}

/** Whether a status of an attempt stands there already: what is told twice is written once. */
export const toldBefore = (row: Pick<MessageRow, 'timeline'>, status: MessageStatus, attempt: number): boolean =>
  [',', '}'].some(end => row.timeline.includes(`"status":"${status}","attempt":${attempt}${end}`))

/** The timeline with its states and times alone: what a provider said in it may name the person. */
export const withoutDetails = (timeline: string): string =>
  timeline.replace(/.+/g, text => {
    const { detail: _, ...line } = JSON.parse(text) as Line
    return JSON.stringify(line)
  })

/** Milliseconds that the provider took for the last attempt. */
export function lastUpstreamMs({ timeline }: Pick<MessageRow, 'timeline'>): number {
  const last = timeline.trimEnd().split('\n').at(-1)
  return last ? ((JSON.parse(last) as Line).upstreamMs ?? 0) : 0
}

/** Every state change and attempt, oldest first; having been queued is the row's own beginning. */
export function toTimeline(row: MessageRow): Timeline {
  const lines = row.timeline
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Line)
  const { requestId } = JSON.parse(row.options ?? '{}') as { requestId?: string }
  const begun: Line = { at: row.created_at, status: row.direction === 'inbound' ? 'received' : 'queued', attempt: 0 }
  return {
    messageId: row.id,
    ...(requestId !== undefined && { requestId }),
    ...(row.traceparent !== null && { traceparent: row.traceparent }),
    items: [begun, ...lines].map(({ at, ...line }) => ({ at: new Date(at).toISOString(), ...line }))
  }
}
