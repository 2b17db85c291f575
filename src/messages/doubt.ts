import { sql } from 'kysely'
import { ServiceError, toMessageError } from '../errors.ts'
import type { MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'
import { type Asked, fits, type Narrowing } from './filter.ts'
import { optionsOf } from './row.ts'
import { doubtsOf, told } from './timeline.ts'
import { doubtTransitions } from './transitions/doubt.ts'

// What becomes of a message of which nobody knows whether it arrived (docs/reliability.md P5, P6).

/** How an unknown message was settled; also that it was sent once more, which leaves an earlier attempt in doubt. */
export type Resolution = 'confirmed' | 'abandoned' | 'resent' | 'reconciled' | 'resent_once'

/** Without proof for this long, it is final (P5). */
export const doubtMs = 72 * 3600_000

/** Whether a message that has just become unknown is to be sent once more by itself. */
export const wantsOnceMore = (row: MessageRow): boolean =>
  row.resolution === null && optionsOf(row).onUnknown === 'resend_once'

/** Whether an earlier attempt than the last may have arrived: then no refusal of the last one says that nothing was sent. */
export const doubted = (row: Pick<MessageRow, 'resolution'>): boolean => row.resolution === 'resent_once'

/** Whether its one more attempt has yet to come. */
export const awaitsSecond = (row: MessageRow): boolean => row.state === 'queued' && doubted(row)

/**
 * The row as it ends when it is not sent (again): failed, unless an earlier attempt may have arrived (P3).
 * @param at now, by the store's clock
 * @param typeBase what stands before /errors#code
 */
export function inDoubt(failed: MessageRow, at: number, typeBase: string): MessageRow {
  if (!doubted(failed)) return failed
  const why = failed.error === null ? '' : (JSON.parse(failed.error) as { detail: string }).detail
  const detail = `The first attempt may have arrived. The second one did not: ${why}`
  const error = JSON.stringify(
    toMessageError(new ServiceError('outcome_unknown', detail, { outcome: 'unknown' }), typeBase, true)
  )
  return { ...failed, state: 'unknown', final: 0, failed_at: null, run_at: at, error }
}

/**
 * The instant from which on nobody can still be about to write an attempt of this message (docs/reliability.md 3.1 rule 8).
 * Where whoever made the attempt saw its end, that is now; where it was only taken for dead, it may wake.
 */
export function safeFrom(row: Pick<MessageRow, 'timeline'>, { leaseMs, timeoutMs }: Sleepers): number {
  const sleepers = doubtsOf(row).filter(doubt => doubt.lost)
  return Math.max(0, ...sleepers.map(({ from }) => from + leaseMs + timeoutMs))
}
export interface Sleepers {
  leaseMs: number
  timeoutMs: number
}

/** Which of the messages that are still open a caller means. */
export type OpenFilter = Narrowing
/** What has to be known of one to judge whether it may be resolved. */
export type OpenRow = Pick<
  MessageRow,
  'id' | 'service' | 'channel_id' | 'attempts' | 'contact' | 'type' | 'content' | 'timeline'
>

export type UnknownQueries = ReturnType<typeof unknownQueries>

/** Every query on messages in doubt. */
export function unknownQueries(store: Store) {
  const { build } = store
  /** The words of the partial indexes: both databases must see that they imply them. */
  const open = sql<boolean>`state = 'unknown' and final = 0`

  return {
    ...doubtTransitions(store),
    /** What was looked for and not found, for its timeline alone. */
    note: prepare<{ id: string; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where('state', '=', 'unknown')
    ),
    /** Open ones in the order of their ids, and whether each is what was asked for: no statement looks at more than a portion. */
    page: prepare<Asked & { after: string; limit: number }, OpenRow & { fits: unknown }>(p => ({
      compile: () =>
        sql<OpenRow & { fits: unknown }>`
          select id, service, channel_id, attempts, contact, type, content, timeline, ${fits(p, store.dialect)} as fits
          from messages where ${open} and mode = ${p.mode} and id > ${p.after} order by id limit ${p.limit} + 0`.compile(
          build
        )
    })),
    /**
     * What else was sent to this person of late, on any channel: what a conversation shows may be one of these.
     * Newest first, and of the newest only.
     */
    others: prepare<{ id: string; mode: string; contact: string; type: string }, MessageRow>(p =>
      build
        .selectFrom(
          build
            .selectFrom('messages')
            .selectAll()
            .where('contact', '=', p.contact)
            .orderBy('id', 'desc')
            .limit(1000)
            .as('recent')
        )
        .selectAll()
        .where('id', '!=', p.id)
        .where('mode', '=', p.mode as 'live')
        .where('direction', '=', 'outbound')
        .where('type', '=', p.type)
        .where('state', 'not in', ['failed', 'expired', 'canceled'])
        .where('attempts', '>', 0)
    )
  }
}
