import { sql } from 'kysely'
import type { MessageRow } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import { type BlockKeys, blockQueries } from '../blocks.ts'
import { type SuppressionKeys, standingSuppression } from '../suppressed.ts'
import { told } from '../timeline.ts'
import { unexpired } from './queue.ts'

/** What the end of an attempt writes. */
export type Outcome = Pick<
  MessageRow,
  | 'id'
  | 'attempts'
  | 'state'
  | 'final'
  | 'run_at'
  | 'provider_message_id'
  | 'warnings'
  | 'error'
  | 'accepted_at'
  | 'failed_at'
> &
  Partial<Pick<MessageRow, 'person'>> & { /** The line that goes onto the timeline with it. */ entry: string }

/** What a row is made with. */
export type NewMessage = Omit<
  MessageRow,
  | 'lease_until'
  | 'provider_message_id'
  | 'warnings'
  | 'error'
  | 'resolution'
  | 'accepted_at'
  | 'sent_at'
  | 'delivered_at'
  | 'read_at'
  | 'failed_at'
  | 'origin'
  | 'person'
  | 'pricing'
  | 'undelivered_at'
>

/** Moves one message from its creation to its end, and says in each `where` which state it expects (docs/message-states.md). */
export function messageTransitions(store: Store) {
  const { build, now } = store
  const blocks = blockQueries(store)
  /** The columns that a new row has; the rest is null until something comes of it. */
  const values = (p: Required<NewMessage>): NewMessage => ({
    id: p.id,
    service: p.service,
    key_id: p.key_id,
    mode: p.mode,
    channel_id: p.channel_id,
    provider: p.provider,
    direction: p.direction,
    contact: p.contact,
    user_id: p.user_id,
    type: p.type,
    content: p.content,
    options: p.options,
    state: p.state,
    final: p.final,
    attempts: p.attempts,
    lane: p.lane,
    queue: p.queue,
    run_at: p.run_at,
    send_at: p.send_at,
    expires_at: p.expires_at,
    deliver_by: p.deliver_by,
    reference: p.reference,
    metadata: p.metadata,
    resend_of: p.resend_of,
    broadcast_id: p.broadcast_id,
    traceparent: p.traceparent,
    timeline: p.timeline,
    created_at: p.created_at
  })
  const outcome = (p: Required<Outcome>) => ({
    timeline: told(p.entry),
    state: p.state,
    final: p.final,
    run_at: p.run_at,
    lease_until: null,
    provider_message_id: p.provider_message_id,
    warnings: p.warnings,
    error: p.error,
    accepted_at: p.accepted_at,
    failed_at: p.failed_at,
    // A status may have been faster than the answer, and tells more.
    person: sql<string>`coalesce(person, cast(${p.person ?? null} as text))`
  })

  return {
    /** Makes a row. Its lease is counted from the database's clock, whatever the process thinks the time is. */
    insert: prepare<NewMessage & { lease_ms: number }, unknown>(p =>
      build.insertInto('messages').values({ ...values(p), lease_until: sql`${now} + ${p.lease_ms}` })
    ),
    /** Makes a row of what somebody else wrote: a person to us, as `received`, or an operator to a person, as `sent`. */
    insertHeard: (row: MessageRow) => build.insertInto('messages').values(row).compile(),
    /** Moves claimed → sending, the last commit before the write. No row changes if a block, a suppression, its expiry or another holder speaks against it. */
    dispatch: prepare<
      { id: string; attempts: number; next: number; lease_ms: number; entry: string } & BlockKeys & SuppressionKeys,
      unknown
    >(p =>
      build
        .updateTable('messages')
        .set({ state: 'sending', attempts: p.next, lease_until: sql`${now} + ${p.lease_ms}`, timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where('state', '=', 'claimed')
        .where('attempts', '=', p.attempts)
        .where('lease_until', '>', now)
        .where(unexpired(now))
        .where(eb => eb.not(eb.exists(blocks.standing(p))))
        .where(sql<boolean>`not exists (${standingSuppression(p)})`)
    ),
    /** Moves messages of one broadcast and claim, tried equally often, claimed → sending in one statement. */
    dispatchAll: (
      p: { ids: string[]; attempts: number; lease_ms: number; entry: string } & Omit<BlockKeys, 'recipient'>
    ) =>
      build
        .updateTable('messages')
        .set({
          state: 'sending',
          attempts: p.attempts + 1,
          lease_until: sql`${now} + ${p.lease_ms}`,
          timeline: told(p.entry)
        })
        .where('id', 'in', p.ids)
        .where('state', '=', 'claimed')
        .where('attempts', '=', p.attempts)
        .where('lease_until', '>', now)
        .where(unexpired(now))
        .where(eb => eb.not(eb.exists(blocks.standing({ ...p, recipient: '' }))))
        .returning('id')
        .compile(),
    /** Moves sending → what came of the attempt; only of the same attempt, so that a process that slept cannot overwrite a newer one. */
    settle: prepare<Outcome, unknown>(p =>
      build
        .updateTable('messages')
        .set(outcome(p))
        .where('id', '=', p.id)
        .where('state', '=', 'sending')
        .where('attempts', '=', p.attempts)
    ),
    /** Moves sending → queued and uncounts the attempt, where not a byte was written. */
    undoAttempt: prepare<{ id: string; attempts: number; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ state: 'queued', attempts: sql`attempts - 1`, lease_until: null, timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where('state', '=', 'sending')
        .where('attempts', '=', p.attempts)
    ),
    /** Settles an unknown message by a late result of the same attempt: this process had been taken for dead. */
    settleLate: prepare<Outcome, unknown>(p =>
      build
        .updateTable('messages')
        .set(outcome(p))
        .where('id', '=', p.id)
        .where('state', '=', 'unknown')
        // An answer names the person, who may have been erased meanwhile.
        .where(eb =>
          eb.or([eb('contact', 'is not', null), eb('user_id', 'is not', null), eb('content', 'is not', null)])
        )
        .where('attempts', '=', p.attempts)
    ),
    /** Settles a message by a late result while it waits to be sent once more, which then is not needed. */
    settleWaiting: prepare<Outcome, unknown>(p =>
      build
        .updateTable('messages')
        .set({ ...outcome(p), resolution: null })
        .where('id', '=', p.id)
        .where('state', 'in', ['queued', 'claimed'])
        .where('resolution', '=', 'resent_once')
        .where('attempts', '=', p.attempts)
    ),
    /** Moves claimed → failed or back to queued, where nothing has been handed over. With a lease: of that claim only. */
    release: prepare<
      Pick<MessageRow, 'id' | 'state' | 'final' | 'run_at' | 'error' | 'failed_at'> &
        Partial<Pick<MessageRow, 'lease_until'>> & { entry: string },
      unknown
    >(p =>
      build
        .updateTable('messages')
        .set({
          state: p.state,
          final: p.final,
          run_at: p.run_at,
          error: p.error,
          failed_at: p.failed_at,
          lease_until: null,
          timeline: told(p.entry)
        })
        .where('id', '=', p.id)
        .where('state', '=', 'claimed')
        .where('lease_until', '=', eb => eb.fn.coalesce(eb.val(p.lease_until), 'lease_until'))
    ),
    /** Deletes a row of which nobody can say whether it was stored, and of which nothing was sent. */
    withdraw: prepare<{ id: string; attempts: number }, unknown>(p =>
      build
        .deleteFrom('messages')
        .where('id', '=', p.id)
        .where('attempts', '=', p.attempts)
        .where('state', 'in', ['queued', 'claimed', 'sending'])
    ),
    /** Opens an unknown message again whose resend was withdrawn. */
    reopen: prepare<{ id: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ final: 0, resolution: null })
        .where('id', '=', p.id)
        .where('state', '=', 'unknown')
        .where('resolution', '=', 'resent')
    ),
    /** Moves sending → claimed after a definite refusal, with what is to be sent next, or through which channel. */
    redirect: prepare<
      Pick<
        MessageRow,
        'id' | 'attempts' | 'type' | 'content' | 'options' | 'channel_id' | 'queue' | 'provider' | 'warnings' | 'error'
      > & { entry: string; lease_ms: number },
      unknown
    >(p =>
      build
        .updateTable('messages')
        .set({
          state: 'claimed',
          lease_until: sql`${now} + ${p.lease_ms}`,
          type: p.type,
          content: p.content,
          options: p.options,
          channel_id: p.channel_id,
          queue: p.queue,
          provider: p.provider,
          warnings: p.warnings,
          error: p.error,
          timeline: told(p.entry)
        })
        .where('id', '=', p.id)
        .where('state', '=', 'sending')
        .where('attempts', '=', p.attempts)
    ),
    /** Cancels a message that waits; one that waits for its second attempt becomes unknown, since the first may have arrived. */
    cancel: prepare<{ id: string; entry: string; doubt?: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({
          state: sql`case when resolution = 'resent_once' then 'unknown' else 'canceled' end`,
          final: sql`case when resolution = 'resent_once' then 0 else 1 end`,
          run_at: sql`case when resolution = 'resent_once' then ${now} else run_at end`,
          lease_until: null,
          timeline: sql`timeline || case when resolution = 'resent_once'
            then coalesce(cast(${p.doubt} as text), '') else cast(${p.entry} as text) end`
        })
        .where('id', '=', p.id)
        .where('state', 'in', ['queued', 'claimed'])
    )
  }
}
