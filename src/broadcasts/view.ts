import {
  type Broadcast,
  type BroadcastCounts,
  type BroadcastTemplate,
  type CountedStatus,
  countedStatuses
} from '../../schemas/broadcasts.ts'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import { publicStatus } from '../messages/view.ts'
import type { BroadcastRow, MessageState } from '../store/schema.ts'

const instant = (ms: number): string => new Date(ms).toISOString()

/** How fast it goes, and how long it will take. */
export interface Pace {
  perSecond: number
  etaSeconds?: number
  /** When the next one goes, where no window is open now; in milliseconds. */
  waitsUntil?: number
}

/** States of rows as their owners see them, those that do not occur too. */
export function toCounts(rows: { state: MessageState; count: number }[]): BroadcastCounts {
  const counts = Object.fromEntries(countedStatuses.map(status => [status, 0])) as BroadcastCounts
  for (const { state, count } of rows) counts[publicStatus(state) as CountedStatus] += count
  return counts
}

/** A row as its owner sees it. Every member is named here, so nothing else of the row can get out. */
export const toBroadcast = (row: BroadcastRow, counts: BroadcastCounts, pace?: Pace): Broadcast => ({
  id: row.id,
  channel: row.channel_id,
  mode: row.mode,
  name: row.name,
  template: JSON.parse(row.template) as BroadcastTemplate,
  status: row.status as Broadcast['status'],
  total: row.total,
  counts,
  duplicates: row.duplicates,
  skipped: row.skipped,
  suppressed: row.suppressed,
  ...(row.rate_per_second !== null && { ratePerSecond: row.rate_per_second }),
  ...(pace && { perSecond: pace.perSecond }),
  ...(pace?.etaSeconds !== undefined && { etaSeconds: pace.etaSeconds }),
  ...(row.start_at !== null && { startAt: instant(row.start_at) }),
  ...(row.sending_window !== null && { window: JSON.parse(row.sending_window) as SendingWindow }),
  ...(pace?.waitsUntil !== undefined && { waitsUntil: instant(pace.waitsUntil) }),
  createdAt: instant(row.created_at),
  ...(row.started_at !== null && { startedAt: instant(row.started_at) }),
  ...(row.finished_at !== null && { finishedAt: instant(row.finished_at) })
})
