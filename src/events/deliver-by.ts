import { sql } from 'kysely'
import type { Logger } from 'pino'
import { createPeriodic, type Periodic } from '../periodic.ts'
import { change, prepare, type Store } from '../store/store.ts'

export interface DeliverBy extends Periodic {
  /** Tells of every message that had to be delivered by now and is not. Answers how many. */
  run: () => Promise<number>
}

const everyMs = 1000
/** In one statement: after a long pause many may be due at once. */
const batch = 500

/**
 * Tells once of a message that was not delivered by its deliverBy (docs/api.md 12): also of one that has failed by then,
 * so that whoever falls back to another way need hear of nothing else; not of one that was canceled. The event is the trigger's.
 */
export function createDeliverBy(store: Store, log: Logger): DeliverBy {
  const { build, now } = store
  const late = prepare<object, unknown>(() =>
    build
      .with(
        cte => cte('due').materialized(),
        () =>
          build
            .selectFrom('messages')
            .select('id')
            // The words of the partial index, unbound.
            .where(
              sql<boolean>`deliver_by is not null and undelivered_at is null and delivered_at is null and read_at is null and state <> 'canceled'`
            )
            .where('deliver_by', '<=', now)
            .orderBy('deliver_by')
            .limit(batch)
            .$if(store.dialect === 'postgres', query => query.forUpdate().skipLocked())
      )
      .updateTable('messages')
      .set({ undelivered_at: now })
      .where('id', 'in', eb => eb.selectFrom('due').select('due.id'))
  )
  const run = async (): Promise<number> => {
    let all = 0
    for (let count = batch; count === batch; all += count) count = await store.write(() => change(late({})))
    return all
  }
  return { ...createPeriodic(run, everyMs, log, 'what is overdue could not be told: it is tried again'), run }
}
