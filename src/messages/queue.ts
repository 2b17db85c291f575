import { type SelectQueryBuilder, sql } from 'kysely'
import type { Database, MessageRow, MessageState } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'

/** The first due message of a line. */
export type Head = Pick<
  MessageRow,
  | 'queue'
  | 'id'
  | 'service'
  | 'mode'
  | 'channel_id'
  | 'provider'
  | 'contact'
  | 'type'
  | 'lane'
  | 'broadcast_id'
  | 'attempts'
>

/** The line that a message waits in. A line can be held up as a whole, and others pass it. */
export const queueOf = (row: Pick<MessageRow, 'mode' | 'lane' | 'service' | 'channel_id' | 'broadcast_id'>): string =>
  [row.mode, row.lane, row.service, row.channel_id, row.broadcast_id ?? ''].join('/')

type Picking = SelectQueryBuilder<Database, 'messages', { id: string }>

export type QueueQueries = ReturnType<typeof queueQueries>

/** Every query on messages that wait, and on what dead processes held. */
export function queueQueries(store: Store) {
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
  const told = (entry: string) => sql<string>`timeline || cast(${entry} as text)`

  return {
    /**
     * The first due message of every line of a mode: from line to line down the index, so what it costs grows with the
     * lines and not with the messages in them.
     */
    heads: prepare<{ from: string; to: string; limit: number }, Head>(p => ({
      compile: () =>
        sql<Head>`
          with recursive lines(queue) as (
            select (select min(queue) from messages where state = 'queued' and queue >= ${p.from} and queue < ${p.to})
            union all
            select (select min(queue) from messages where state = 'queued' and queue > lines.queue and queue < ${p.to})
            from lines where lines.queue is not null
          )
          select m.queue, m.id, m.service, m.mode, m.channel_id, m.provider, m.contact, m.type, m.lane, m.broadcast_id,
            m.attempts
          from lines join messages m on m.id = (
            select id from messages
            where state = 'queued' and queue = lines.queue and run_at <= ${now}
              and (expires_at is null or expires_at > ${now})
            order by run_at, id limit 1
          )
          where lines.queue is not null
          limit ${p.limit}`.compile(build)
    })),
    /** Takes due messages of one line for this process, the longest due first. */
    claim: prepare<{ queue: string; limit: number; lease_ms: number }, MessageRow>(p =>
      ofQueued(queued =>
        queued
          .where('queue', '=', p.queue)
          .where('run_at', '<=', now)
          .where(or => or.or([or('expires_at', 'is', null), or('expires_at', '>', now)]))
          .orderBy('run_at')
          .orderBy('id')
          .limit(p.limit)
      )
        .set({ state: 'claimed', lease_until: sql`${now} + ${p.lease_ms}` })
        .returningAll()
    ),
    /** Whether something of this line is due: what comes after it must not pass it. */
    waiting: prepare<{ queue: string }, { id: string }>(p =>
      build
        .selectFrom('messages')
        .select('id')
        .where(sql<boolean>`state = 'queued'`)
        .where('queue', '=', p.queue)
        .where('run_at', '<=', now)
        .limit(1)
    ),
    /** Lets one wait longer; it blocks nobody meanwhile. */
    defer: prepare<{ id: string; run_at: number }, unknown>(p =>
      build.updateTable('messages').set({ run_at: p.run_at }).where('id', '=', p.id).where('state', '=', 'queued')
    ),
    /** Rows that the release before has put in: it knew no lines. */
    enqueue: prepare<object, unknown>(() =>
      build
        .updateTable('messages')
        .set({ queue: sql<string>`mode || '/0/' || service || '/' || channel_id || '/'` })
        .where(sql<boolean>`state = 'queued'`)
        .where('queue', '=', '')
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
    /** What a dead process held: what was only claimed waits again, what may have left is unknown (docs/reliability.md 3.1 rule 10). */
    abandoned: (state: MessageState, everything: boolean) =>
      build
        .selectFrom('messages')
        .selectAll()
        .where('state', '=', state)
        // The words of the partial index: SQLite uses it only where it finds them again.
        .where(sql<boolean>`state in ('claimed', 'sending')`)
        .$if(!everything, query => query.where('lease_until', '<=', now))
        .orderBy('lease_until')
        .limit(500)
        .compile(),
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
    )
  }
}
