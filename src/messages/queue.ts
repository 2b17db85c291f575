import { sql } from 'kysely'
import type { MessageRow, MessageState } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'
import { queueTransitions, unexpired } from './transitions/queue.ts'

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

const dayMs = 24 * 3600_000

export type QueueQueries = ReturnType<typeof queueQueries>

/** Every query on messages that wait, and on what dead processes held. */
export function queueQueries(store: Store) {
  const { build, now } = store
  const dueInLine = sql`from messages where state = 'queued' and queue = lines.queue and run_at <= ${now} and ${unexpired(now)}
    order by run_at, id limit 1`
  // Each asks line by line. To the words of SQLite, which has no lateral, PostgreSQL may answer with a look at every message.
  const firstDue =
    store.dialect === 'postgres'
      ? sql`lateral (select * ${dueInLine}) m on true`
      : sql`messages m on m.id = (select id ${dueInLine})`
  return {
    ...queueTransitions(store),
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
          from lines join ${firstDue}
          where lines.queue is not null
          limit ${p.limit} + 0`.compile(build)
    })),
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
    /** The first due messages of a line, in the order in which they are claimed. */
    due: prepare<{ queue: string; limit: number }, Pick<MessageRow, 'id' | 'contact'>>(p =>
      build
        .selectFrom('messages')
        .select(['id', 'contact'])
        .where(sql<boolean>`state = 'queued'`)
        .where('queue', '=', p.queue)
        .where('run_at', '<=', now)
        .where(unexpired(now))
        .orderBy('run_at')
        .orderBy('id')
        .limit(p.limit)
    ),
    /** Lets some wait until their window opens: they expire a day after that at the earliest, and not because of it. */
    putOff: (p: { ids: string[]; run_at: number }) =>
      build
        .updateTable('messages')
        .set({
          run_at: p.run_at,
          expires_at: sql<number>`case when expires_at < ${p.run_at + dayMs} then ${p.run_at + dayMs} else expires_at end`
        })
        .where('id', 'in', p.ids)
        .where('state', '=', 'queued')
        .compile(),
    /** When the first, and the last, message of a line falls due. */
    dueTimes: prepare<{ queue: string }, { first: number | null; last: number | null }>(p => {
      const times = build.selectFrom('messages').where(sql<boolean>`state = 'queued'`).where('queue', '=', p.queue)
      return build.selectNoFrom([
        times.select('run_at').orderBy('run_at').limit(1).as('first'),
        times.select('run_at').orderBy('run_at', 'desc').limit(1).as('last')
      ])
    }),
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
        .compile()
  }
}
