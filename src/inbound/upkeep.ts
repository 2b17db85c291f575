import { type RawBuilder, sql } from 'kysely'
import type { Logger } from 'pino'
import { createPeriodic, type Periodic } from '../periodic.ts'
import { all, change, type Store, type Unit } from '../store/store.ts'
import { idAt } from './queries.ts'

const dayMs = 24 * 3600_000
/** Meta tries again for seven days (docs/webhooks.md A6): what is told once more by then has to be known. */
export const keepMs = 8 * dayMs
/** Marks outlive the bodies that they are of, so that no replay has an effect again. */
const keepMarksMs = 9 * dayMs
const everyMs = 10 * 60_000
const batch = 500
/** Bodies can be large: fewer of them in one commit, which holds the embedded store for as long. */
const bodiesAtOnce = 20

/** Deletes what webhooks told, and what is remembered of it, once its time is over (docs/reliability.md P37). */
export interface WebhookUpkeep extends Periodic {
  sweep: () => Promise<void>
}

export function createWebhookUpkeep(store: Store, log: Logger): WebhookUpkeep {
  const { build, now } = store
  let stopped = false
  const drain = async (most: number, remove: () => Unit<number>): Promise<number> => {
    let sum = 0
    for (let count = most; count === most && !stopped; sum += count) count = await store.write(remove)
    return sum
  }
  /** Some rows of a table, by its primary key. */
  const some =
    (table: 'heard_events' | 'parked_events' | 'message_ids', key: string[], over: RawBuilder<boolean>) => () =>
      change({
        compile: () => {
          const columns = sql.join(key.map(name => sql.ref(name)))
          const rows = sql`select ${columns} from ${sql.table(table)} where ${over} limit ${batch}`
          return sql`delete from ${sql.table(table)} where (${columns}) in (${rows})`.compile(build)
        }
      })

  const sweep = async (): Promise<void> => {
    const [clock] = await store.read(build.selectNoFrom(now.as('at')).compile())
    const at = Number(clock!.at)
    const old = build
      .selectFrom('webhooks')
      .select('id')
      .where('id', '<', idAt(at - keepMs))
      .where('state', '!=', 'waiting')
      .orderBy('id')
      .limit(bodiesAtOnce)
    const bodies = await drain(bodiesAtOnce, function* () {
      const ids = (yield* all(old)).map(({ id }) => id)
      if (ids.length === 0) return 0
      yield build.deleteFrom('webhook_bodies').where('id', 'in', ids).compile()
      return yield* change(build.deleteFrom('webhooks').where('id', 'in', ids))
    })
    const place = ['channel_id', 'mode']
    const marks = await drain(batch, some('heard_events', [...place, 'identity'], sql`at < ${at - keepMarksMs}`))
    const parkedKey = [...place, 'provider_id', 'identity']
    const parked = await drain(batch, some('parked_events', parkedKey, sql`at < ${at - keepMs}`))
    // Ids that never came to name anything.
    const unnamed = sql<boolean>`message_id is null and created_at < ${at - keepMs}`
    const ids = await drain(batch, some('message_ids', [...place, 'provider_id'], unnamed))
    if (bodies + marks + parked + ids > 0)
      log.info({ bodies, marks, parked, ids }, 'dropped what webhooks told long ago')
  }
  const repeating = createPeriodic(sweep, everyMs, log, 'old webhooks could not be deleted: it is tried again')

  return {
    ...repeating,
    sweep,
    stop: () => {
      stopped = true
      return repeating.stop()
    }
  }
}
