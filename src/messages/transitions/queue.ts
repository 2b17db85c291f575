import { type SelectQueryBuilder, sql } from 'kysely'
import type { Database, MessageRow } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import { told } from '../timeline.ts'

/**
 * Whether a message may still be sent. It is no alternative of two conditions: for one, PostgreSQL would go through the expiry of
 * all that waits, in every line, instead of down the line.
 */
export const unexpired = (now: Store['now']) =>
  sql<boolean>`coalesce(expires_at, ${sql.lit(Number.MAX_SAFE_INTEGER)}) > ${now}`

type Picking = SelectQueryBuilder<Database, 'messages', { id: string }>

/** Takes messages out of the queue, ends them there, and settles what dead processes and a restored store left (docs/message-states.md). */
export function queueTransitions(store: Store) {
  const { build, now } = store
  /**
   * An update of the queued messages that `pick` narrows. On PostgreSQL rows that another replica is taking are skipped.
   * Materialized: a plan that looked for them once per row would take more than the limit.
   */
  const ofQueued = (pick: (queued: Picking) => Picking) =>
    build
      .with(
        cte => cte('due').materialized(),
        () =>
          // The words of the partial index, unbound: PostgreSQL must see that they imply it.
          pick(build.selectFrom('messages').select('id').where(sql<boolean>`state = 'queued'`)).$if(
            store.dialect === 'postgres',
            query => query.forUpdate().skipLocked()
          )
      )
      .updateTable('messages')
      .where('id', 'in', eb => eb.selectFrom('due').select('due.id'))

  return {
    /** Takes due messages of one line for this process, the longest due first. */
    claim: prepare<{ queue: string; limit: number; lease_ms: number }, MessageRow>(p =>
      ofQueued(queued =>
        queued
          .where('queue', '=', p.queue)
          .where('run_at', '<=', now)
          .where(unexpired(now))
          .orderBy('run_at')
          .orderBy('id')
          .limit(p.limit)
      )
        .set({ state: 'claimed', lease_until: sql`${now} + ${p.lease_ms}` })
        .returningAll()
    ),
    /** At most 500 at a time: after a long pause the whole queue may be due, and one statement has five seconds. */
    expireDue: prepare<{ entry: string; doubt?: string }, MessageRow>(p =>
      ofQueued(queued => queued.where('expires_at', '<=', now).orderBy('expires_at').limit(500))
        // What waits only for its one more attempt is not sent again, and stays in doubt.
        .set({
          state: sql`case when resolution = 'resent_once' then 'unknown' else 'expired' end`,
          final: sql`case when resolution = 'resent_once' then 0 else 1 end`,
          run_at: sql`case when resolution = 'resent_once' then ${now} else run_at end`,
          timeline: sql`timeline || case when resolution = 'resent_once'
            then coalesce(cast(${p.doubt} as text), '') else cast(${p.entry} as text) end`
        })
        .returningAll()
    ),
    requeue: prepare<{ id: string; lease: number; run_at?: number; entry?: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({
          state: 'queued',
          lease_until: null,
          run_at: eb => eb.fn.coalesce(eb.val(p.run_at), 'run_at'),
          timeline: sql<string>`timeline || coalesce(cast(${p.entry} as text), '')`
        })
        .where('id', '=', p.id)
        .where('state', '=', 'claimed')
        .where('lease_until', '=', p.lease)
    ),
    forget: prepare<{ id: string; attempts: number; error: string; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ state: 'unknown', run_at: now, error: p.error, lease_until: null, timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where('state', '=', 'sending')
        .where('attempts', '=', p.attempts)
    ),
    /** Moves whatever is not settled to unknown, after a restore: it may have been sent since the copy was made. */
    doubtAll: (p: { ids: string[]; attempts: number; error: string; entry: string }) =>
      build
        .updateTable('messages')
        .set({ state: 'unknown', run_at: now, error: p.error, lease_until: null, timeline: told(p.entry) })
        .where('id', 'in', p.ids)
        .where('attempts', '=', p.attempts)
        .where('state', 'in', ['queued', 'claimed', 'sending'])
  }
}
