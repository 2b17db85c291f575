import { sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import type { MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'

/** So many failures, and so many unknown messages, are looked at for their reasons. */
export const mostLookedAt = 1000

export interface Line {
  queue: string
  waiting: number
  due: number
  first_id: string
  next_at: number
}

interface OfChannel {
  channel: string
  mode: Mode
}

/** What the operator's figures are counted from: each query goes down one index and reads no row that it does not tell of. */
export function overviewQueries({ build, now }: Store) {
  const minute = sql<number>`(accepted_at / 60000)`
  return {
    clock: prepare<object, { now: number }>(() => build.selectNoFrom(sql<number>`${now}`.as('now'))),
    /** Accepted messages by minute; down the index messages_accepted alone. */
    accepted: prepare<OfChannel & { from: number; to: number }, { minute: number; count: number }>(p =>
      build
        .selectFrom('messages')
        .select([minute.as('minute'), sql<number>`count(*)`.as('count')])
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode)
        .where('accepted_at', '>=', p.from)
        .where('accepted_at', '<', p.to)
        .groupBy(minute)
    ),
    failed: prepare<OfChannel & { from: number }, Pick<MessageRow, 'error'>>(p =>
      build
        .selectFrom('messages')
        .select('error')
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode)
        .where('failed_at', '>=', p.from)
        .orderBy('failed_at', 'desc')
        .limit(mostLookedAt + 1)
    ),
    /** All that nobody knows the end of, and that somebody could settle. */
    unknown: prepare<{ mode: Mode }, Pick<MessageRow, 'channel_id' | 'error' | 'timeline'>>(p =>
      build
        .selectFrom('messages')
        .select(['channel_id', 'error', 'timeline'])
        .where(sql<boolean>`state = 'unknown' and final = 0`)
        .where('mode', '=', p.mode)
        .orderBy('id', 'desc')
        .limit(mostLookedAt + 1)
    ),
    /** Every line of a mode that has something in it; down the index messages_queue alone. */
    lines: prepare<{ from: string; to: string }, Line>(p =>
      build
        .selectFrom('messages')
        .select([
          'queue',
          sql<number>`count(*)`.as('waiting'),
          sql<number>`sum(case when run_at <= ${now} then 1 else 0 end)`.as('due'),
          sql<string>`min(id)`.as('first_id'),
          sql<number>`min(run_at)`.as('next_at')
        ])
        .where(sql<boolean>`state = 'queued'`)
        .where('queue', '>=', p.from)
        .where('queue', '<', p.to)
        .groupBy('queue')
    ),
    pace: prepare<{ key: string }, { log: string }>(p =>
      build.selectFrom('paces').select('log').where('key', '=', p.key)
    ),
    breakers: prepare<object, { key: string; log: string }>(() => build.selectFrom('breakers').select(['key', 'log'])),
    heard: prepare<{ mode: Mode }, { channel_id: string; heard_at: number | null; status_at: number | null }>(p =>
      build.selectFrom('webhook_lanes').select(['channel_id', 'heard_at', 'status_at']).where('mode', '=', p.mode)
    ),
    registered: prepare<{ mode: Mode }, { channel_id: string; registered: number; silent_since: number | null }>(p =>
      build
        .selectFrom('webhook_registrations')
        .select(['channel_id', 'registered', 'silent_since'])
        .where('mode', '=', p.mode)
    )
  }
}

export type OverviewQueries = ReturnType<typeof overviewQueries>
