import type { MessageStatus, Timeline } from '../../schemas/messages.ts'
import type { CallRecord } from '../dispatch/corridor.ts'
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

/** One line for the change that a row is just undergoing. */
export function timelineEntry(
  change: { state: MessageRow['state']; attempts: number },
  detail?: string | null,
  record?: CallRecord
): string {
  const line: Line = {
    at: Date.now(),
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
/** At this many it is set aside, so that a message that kills its process cannot stop the line (RELIABILITY.md P8). */
export const maxSetbacks = 3
export const setbacksOf = (row: Pick<MessageRow, 'timeline'>): number => {
  const words: (string | undefined)[] = Object.values(setbacks)
  const lines = row.timeline.split('\n').filter(Boolean)
  return lines.filter(line => words.includes((JSON.parse(line) as Line).detail)).length
}

/** Every state change and attempt, oldest first; having been queued is the row's own beginning. */
export function toTimeline(row: MessageRow): Timeline {
  const lines = row.timeline
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Line)
  const begun: Line = { at: row.created_at, status: row.direction === 'inbound' ? 'received' : 'queued', attempt: 0 }
  return {
    messageId: row.id,
    ...(row.traceparent !== null && { traceparent: row.traceparent }),
    items: [begun, ...lines].map(({ at, ...line }) => ({ at: new Date(at).toISOString(), ...line }))
  }
}
