import { sql } from 'kysely'
import type { BroadcastFilter, BroadcastMessageFilter } from '../../schemas/broadcasts.ts'
import { type Caller, hasScope } from '../keys/caller.ts'
import { batchSize, broadcastTransitions } from '../messages/transitions/broadcast.ts'
import type { PageRequest } from '../store/page.ts'
import type { BroadcastRow, MessageRow, MessageState } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'

/** Of a draft that is being taken away. */
const condemned = -1
const resultColumns = [
  'id',
  'contact',
  'reference',
  'state',
  'provider_message_id',
  'attempts',
  'error',
  'accepted_at',
  'sent_at',
  'delivered_at',
  'read_at',
  'failed_at'
] as const satisfies (keyof MessageRow)[]
export type ResultRow = Pick<MessageRow, (typeof resultColumns)[number]>

export type BroadcastQueries = ReturnType<typeof broadcastQueries>

export function broadcastQueries(store: Store) {
  const { build, dialect, now } = store
  const postgres = dialect === 'postgres'
  const open = sql<boolean>`state in ('queued', 'claimed', 'sending')`
  /** Messages of one broadcast: nothing but the filter narrows them, since who sees a broadcast sees all of them, and the index of results carries it. */
  const ofOne = (
    id: string,
    { status, contact, reference }: BroadcastMessageFilter,
    { after }: PageRequest,
    order: 'asc' | 'desc' = 'desc'
  ) => {
    let query = build.selectFrom('messages').where('broadcast_id', '=', id).orderBy('id', order)
    if (after) query = query.where('id', order === 'asc' ? '>' : '<', after)
    if (status) query = query.where('state', 'in', status === 'queued' ? ['queued', 'claimed'] : [status])
    if (contact) query = query.where('contact', '=', contact)
    if (reference) query = query.where('reference', '=', reference)
    return query
  }

  return {
    /**
     * Has PostgreSQL look at how many messages there are now: until it does so by itself, a minute later, it plans for as many as there were,
     * and goes through all of them where an index leads there. SQLite plans without such figures.
     */
    recount: postgres ? sql`analyze messages`.compile(build) : undefined,
    ...broadcastTransitions(store),
    /** No row changes where it is there already. */
    insert: prepare<BroadcastRow, unknown>(p =>
      build
        .insertInto('broadcasts')
        .values({
          id: p.id,
          service: p.service,
          key_id: p.key_id,
          mode: p.mode,
          channel_id: p.channel_id,
          name: p.name,
          template: p.template,
          status: p.status,
          total: p.total,
          duplicates: p.duplicates,
          skipped: p.skipped,
          suppressed: p.suppressed,
          sending_window: p.sending_window,
          rate_per_second: p.rate_per_second,
          start_at: p.start_at,
          created_at: p.created_at,
          started_at: p.started_at,
          finished_at: p.finished_at
        })
        .onConflict(conflict => conflict.column('id').doNothing())
    ),
    byId: prepare<{ id: string }, BroadcastRow>(p => build.selectFrom('broadcasts').selectAll().where('id', '=', p.id)),
    /** Reads a broadcast inside a unit that goes on to change it, and keeps others from changing it meanwhile. */
    lock: prepare<{ id: string }, BroadcastRow>(p =>
      build
        .selectFrom('broadcasts')
        .selectAll()
        .where('id', '=', p.id)
        .$if(postgres, query => query.forUpdate())
    ),
    /** Shows that somebody is still at work on the draft. No row changes where it has been given up. */
    keepDraft: prepare<{ id: string }, unknown>(p =>
      build
        .updateTable('broadcasts')
        .set({ started_at: now })
        .where('id', '=', p.id)
        .where('status', '=', 'draft')
        .where('total', '<>', condemned)
    ),
    completeDraft: prepare<Pick<BroadcastRow, 'id' | 'status' | 'started_at'>, unknown>(p =>
      build
        .updateTable('broadcasts')
        .set({ status: p.status, started_at: p.started_at })
        .where('id', '=', p.id)
        .where('status', '=', 'draft')
        .where('total', '<>', condemned)
    ),
    /** Drafts that nobody has worked on for so long. */
    deadDrafts: prepare<{ idle_ms: number }, { id: string }>(p =>
      build
        .selectFrom('broadcasts')
        .select('id')
        .where('status', '=', 'draft')
        .where('started_at', '<=', sql<number>`${now} - ${p.idle_ms}`)
        .limit(100)
    ),
    condemn: prepare<{ id: string }, unknown>(p =>
      build.updateTable('broadcasts').set({ total: condemned }).where('id', '=', p.id).where('status', '=', 'draft')
    ),
    drop: prepare<{ id: string }, unknown>(p =>
      build.deleteFrom('broadcasts').where('id', '=', p.id).where('status', '=', 'draft')
    ),
    /** Broadcasts that may begin or end by themselves. */
    moving: prepare<object, BroadcastRow>(() =>
      build
        .selectFrom('broadcasts')
        .selectAll()
        // The words of the partial index, unbound.
        .where(sql<boolean>`status in ('draft', 'scheduled', 'running', 'paused', 'canceled')`)
        .where('status', 'in', ['scheduled', 'running', 'canceled'])
        .where('finished_at', 'is', null)
    ),
    setStatus: prepare<Pick<BroadcastRow, 'id' | 'status' | 'started_at' | 'finished_at'>, unknown>(p =>
      build
        .updateTable('broadcasts')
        .set({ status: p.status, started_at: p.started_at, finished_at: p.finished_at })
        .where('id', '=', p.id)
    ),
    /** One message that is not settled, if there is any. */
    unsettled: prepare<{ id: string }, { id: string }>(p =>
      build.selectFrom('messages').select('id').where('broadcast_id', '=', p.id).where(open).limit(1)
    ),
    counts: prepare<{ id: string }, { state: MessageState; count: number }>(p =>
      build
        .selectFrom('messages')
        .select(['state', eb => eb.fn.countAll<number>().as('count')])
        .where('broadcast_id', '=', p.id)
        .groupBy('state')
    ),
    /** Failed messages from one on, in the order of their ids. */
    failedAfter: prepare<{ id: string; after: string }, Pick<MessageRow, 'id' | 'contact'>>(p =>
      build
        .selectFrom('messages')
        .select(['id', 'contact'])
        .where('broadcast_id', '=', p.id)
        .where('state', '=', 'failed')
        // Of somebody who was erased nothing is left to send to, and of what is old enough nothing to send.
        .where('contact', 'is not', null)
        .where('content', 'is not', null)
        // Where the person is known and goes by a number, the number is another's by now (decision 106).
        .where(eb => eb.or([eb('user_id', 'is', null), eb('user_id', '=', eb.ref('contact'))]))
        .where('id', '>', p.after)
        .orderBy('id')
        .limit(batchSize)
    ),
    /** One recipient whose number begins with none of the prefixes, if there is one. */
    beyond: ({ id, prefixes }: { id: string; prefixes: readonly string[] }) =>
      build
        .selectFrom('messages')
        .select('contact')
        .where('broadcast_id', '=', id)
        .where('contact', 'is not', null)
        .where(eb => eb.and(prefixes.map(prefix => eb('contact', 'not like', `${prefix}%`))))
        .limit(1)
        .compile(),
    list: (caller: Caller, { channel, status }: BroadcastFilter, page: PageRequest) => {
      let query = build
        .selectFrom('broadcasts')
        .selectAll()
        .where('mode', '=', caller.mode)
        .where('status', '<>', 'draft')
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
      if (!hasScope(caller, 'read_all')) query = query.where('service', '=', caller.service)
      // PostgreSQL has no empty list; no id is empty.
      if (caller.channels) query = query.where('channel_id', 'in', ['', ...caller.channels])
      if (page.after) query = query.where('id', '<', page.after)
      if (channel) query = query.where('channel_id', '=', channel)
      if (status) query = query.where('status', '=', status)
      return query.compile()
    },
    messages: (id: string, filter: BroadcastMessageFilter, page: PageRequest) =>
      ofOne(id, filter, page)
        .selectAll()
        .limit(page.limit + 1)
        .compile(),
    /** The columns of a results table alone, in the order of the recipients: ids ascend as the rows did. Thousands are read for one. */
    results: (id: string, filter: BroadcastMessageFilter, page: PageRequest) =>
      ofOne(id, filter, page, 'asc').select(resultColumns).limit(page.limit).compile()
  }
}
