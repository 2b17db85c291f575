import type { BroadcastForm, BroadcastTemplate } from '../../schemas/broadcasts.ts'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { queueOf } from '../messages/queue.ts'
import type { Common } from '../messages/transitions/broadcast.ts'
import type { BroadcastRow } from '../store/schema.ts'
import type { Tally } from './recipients.ts'

const dayMs = 24 * 3600_000

/** What has been found out of an order: the template as it stands, and who is meant. */
export interface Terms {
  template: BroadcastTemplate
  tally: Tally
  suppressed: number
  window: SendingWindow | undefined
}

/** The row of an order that was found right, under an id that it was promised or a new one; `now` by the store's clock. */
export function rowOf(
  caller: Caller,
  form: BroadcastForm,
  channel: DispatchChannel,
  { template, tally: { total, duplicates, skipped }, suppressed, window }: Terms,
  { id, now }: { id: string | undefined; now: number }
): BroadcastRow {
  const start_at = form.startAt === undefined ? null : Date.parse(form.startAt)
  const later = start_at !== null && start_at > now
  return {
    id: id ?? newId('brd', now),
    service: caller.service,
    key_id: caller.keyId,
    mode: caller.mode,
    channel_id: channel.id,
    name: form.name,
    template: JSON.stringify(template),
    status: later ? 'scheduled' : 'running',
    total,
    duplicates,
    skipped,
    suppressed,
    sending_window: window === undefined ? null : JSON.stringify(window),
    rate_per_second: form.ratePerSecond ?? null,
    start_at,
    created_at: now,
    started_at: later ? null : now,
    finished_at: null
  }
}

/** What all its messages have in common; a message whose window opens later has times of its own. */
export function commonOf(row: BroadcastRow, provider: string, traceparent: string | undefined): Common {
  const begin = Math.max(row.start_at ?? 0, row.created_at)
  const lasts = row.rate_per_second === null ? 0 : Math.ceil((row.total / row.rate_per_second) * 1000)
  return {
    broadcast_id: row.id,
    template: (JSON.parse(row.template) as BroadcastTemplate).name,
    service: row.service,
    key_id: row.key_id,
    mode: row.mode,
    channel_id: row.channel_id,
    provider,
    queue: queueOf({ ...row, lane: 1, broadcast_id: row.id }),
    run_at: begin,
    send_at: row.start_at,
    // Its own pace must not make the last ones expire.
    expires_at: begin + lasts + dayMs,
    traceparent: traceparent ?? null,
    created_at: row.created_at
  }
}
