import { sql } from 'kysely'
import type { MessageRow, MessageState } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import { told } from '../timeline.ts'

/** Rows in one statement of those that change many: more would hold an embedded store for too long. */
export const batchSize = 250

/** What all messages of a broadcast have in common. */
export type Common = Pick<
  MessageRow,
  | 'service'
  | 'key_id'
  | 'mode'
  | 'channel_id'
  | 'provider'
  | 'queue'
  | 'run_at'
  | 'send_at'
  | 'expires_at'
  | 'traceparent'
  | 'created_at'
> & { broadcast_id: string; template: string }

/** Changes many messages of one broadcast at a time (docs/message-states.md). */
export function broadcastTransitions(store: Store) {
  const { build, dialect } = store
  const postgres = dialect === 'postgres'
  /** An update of those messages of a broadcast that another replica does not have in its hands just now. */
  const some = (id: string, states: MessageState[]) =>
    build
      .with(
        cte => cte('due').materialized(),
        () =>
          build
            .selectFrom('messages')
            .select('id')
            .where('broadcast_id', '=', id)
            .where('state', 'in', states)
            .limit(batchSize)
            .$if(postgres, query => query.forUpdate().skipLocked())
      )
      .updateTable('messages')
      .where('id', 'in', eb => eb.selectFrom('due').select('due.id'))

  return {
    /**
     * Many messages in one statement: what they share once, the rest as JSON, [id, contact, content, reference, refusal,
     * run_at] each; without a run_at of its own a row has the common one. Who must not be messaged has a refusal, the error as JSON, and a row that has failed with it. A statement of
     * their thousands of parameters would take longer to build than to run.
     */
    addMessages: prepare<Common & { rows: string; entry?: string }, unknown>(p => ({
      compile: () =>
        sql`
          insert into messages (id, contact, user_id, content, reference, service, key_id, mode, channel_id, provider, queue,
            broadcast_id, template, traceparent, run_at, send_at, expires_at, created_at, direction, type, lane,
            attempts, state, final, error, failed_at, timeline)
          select r.value ->> 0, r.value ->> 1, case when r.value ->> 1 like '%.%' then r.value ->> 1 end, r.value ->> 2, r.value ->> 3, cast(${p.service} as text),
            cast(${p.key_id} as text), cast(${p.mode} as text), cast(${p.channel_id} as text),
            cast(${p.provider} as text), cast(${p.queue} as text), cast(${p.broadcast_id} as text),
            cast(${p.template} as text), cast(${p.traceparent} as text), coalesce(cast(r.value ->> 5 as bigint), cast(${p.run_at} as bigint)), cast(${p.send_at} as bigint),
            cast(${p.expires_at} as bigint) + coalesce(cast(r.value ->> 5 as bigint) - cast(${p.run_at} as bigint), 0), cast(${p.created_at} as bigint), 'outbound', 'template', 1, 0,
            case when r.value ->> 4 is null then 'queued' else 'failed' end,
            case when r.value ->> 4 is null then 0 else 1 end, r.value ->> 4,
            case when r.value ->> 4 is null then null else cast(${p.created_at} as bigint) end,
            case when r.value ->> 4 is null then '' else coalesce(cast(${p.entry} as text), '') end
          from ${postgres ? sql`jsonb_array_elements(cast(${p.rows} as jsonb))` : sql`json_each(${p.rows})`} as r`.compile(
          build
        )
    })),
    dropMessages: prepare<{ id: string }, unknown>(p =>
      build
        .deleteFrom('messages')
        .where('id', 'in', eb =>
          eb.selectFrom('messages').select('id').where('broadcast_id', '=', p.id).limit(batchSize)
        )
    ),
    /** The end of a canceled broadcast's messages, some at a time. */
    cancelSome: prepare<{ id: string; entry: string }, unknown>(p =>
      some(p.id, ['queued', 'claimed']).set({
        state: 'canceled',
        final: 1,
        lease_until: null,
        timeline: told(p.entry)
      })
    ),
    /** failed → queued, as new but for its attempts: a late word on an older one must not be taken for the new one's. */
    retry: (p: { ids: string[]; run_at: number; expires_at: number; entry: string }) =>
      build
        .updateTable('messages')
        .set(eb => ({
          state: 'queued',
          final: 0,
          run_at: p.run_at,
          error: null,
          failed_at: null,
          accepted_at: null,
          sent_at: null,
          provider_message_id: null,
          pricing: null,
          // Kept where it still lies ahead.
          expires_at: eb.case().when('expires_at', '>', p.run_at).then(eb.ref('expires_at')).else(p.expires_at).end(),
          timeline: told(p.entry)
        }))
        .where('id', 'in', ['', ...p.ids])
        .where('state', '=', 'failed')
        .compile()
  }
}
