import { sql } from 'kysely'
import { prepare, type Store } from '../../store/store.ts'
import type { Resolution } from '../doubt.ts'
import { told } from '../timeline.ts'

/** Settles or closes messages in doubt, where no provider told anything (docs/message-states.md). */
export function doubtTransitions(store: Store) {
  const { build, now } = store
  /** The words of the partial indexes: both databases must see that they imply them. */
  const open = sql<boolean>`state = 'unknown' and final = 0`

  return {
    /** sending → queued for the one more attempt that the caller allowed; of the same attempt, and only once. */
    again: prepare<{ id: string; attempts: number; error: string | null; delay_ms: number; entry: string }, unknown>(
      p =>
        build
          .updateTable('messages')
          .set({
            state: 'queued',
            resolution: 'resent_once' satisfies Resolution,
            run_at: sql`${now} + ${p.delay_ms}`,
            lease_until: null,
            error: p.error,
            timeline: told(p.entry)
          })
          .where('id', '=', p.id)
          .where('state', '=', 'sending')
          .where('attempts', '=', p.attempts)
          .where('resolution', 'is', null)
    ),
    /** The caller knows that it arrived. */
    confirm: prepare<{ id: string; at: number; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({
          state: 'accepted',
          resolution: 'confirmed' satisfies Resolution,
          accepted_at: p.at,
          error: null,
          timeline: told(p.entry)
        })
        .where('id', '=', p.id)
        .where(open)
    ),
    /** The caller lets it be, or has it sent anew as another message. */
    close: prepare<{ id: string; resolution: Resolution; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ final: 1, resolution: p.resolution, timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where(open)
    ),
    /** Closes one that was sent anew; it may be closed already, but not by another resend. */
    supersede: prepare<{ id: string; entry: string }, unknown>(p =>
      build
        .updateTable('messages')
        .set({ final: 1, resolution: 'resent' satisfies Resolution, timeline: told(p.entry) })
        .where('id', '=', p.id)
        .where('state', '=', 'unknown')
        .where(eb => eb.or([eb('resolution', 'is', null), eb('resolution', '!=', 'resent')]))
    ),
    /** Makes unknown messages final that have been open too long, at most 500 at a time. */
    overdue: prepare<{ before_ms: number; entry: string }, { id: string }>(p =>
      build
        .with(
          cte => cte('late').materialized(),
          () =>
            build
              .selectFrom('messages')
              .select('id')
              .where(open)
              .where('run_at', '<=', sql<number>`${now} - ${p.before_ms}`)
              .orderBy('run_at')
              .limit(500)
              .$if(store.dialect === 'postgres', query => query.forUpdate().skipLocked())
        )
        .updateTable('messages')
        .set({ final: 1, timeline: told(p.entry) })
        .where('id', 'in', eb => eb.selectFrom('late').select('late.id'))
        .returning('id')
    )
  }
}
