import type { Logger } from 'pino'
import { createPeriodic, type Periodic } from '../periodic.ts'
import { change, type Store } from '../store/store.ts'
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
  const drain = async (most: number, remove: () => Parameters<typeof change>[0]): Promise<number> => {
    let all = 0
    for (let count = most; count === most && !stopped; all += count) count = await store.write(() => change(remove()))
    return all
  }

  const sweep = async (): Promise<void> => {
    const [clock] = await store.read(build.selectNoFrom(now.as('at')).compile())
    const at = Number(clock!.at)
    const bodies = await drain(bodiesAtOnce, () =>
      build.deleteFrom('webhooks').where('id', 'in', eb =>
        eb
          .selectFrom('webhooks')
          .select('id')
          .where('id', '<', idAt(at - keepMs))
          .where('state', '!=', 'waiting')
          .orderBy('id')
          .limit(bodiesAtOnce)
      )
    )
    const marks = await drain(batch, () =>
      build.deleteFrom('heard_events').where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('channel_id', 'mode', 'identity'),
          'in',
          selectFrom('heard_events')
            .select(['channel_id', 'mode', 'identity'])
            .where('at', '<', at - keepMarksMs)
            .limit(batch)
            .$asTuple('channel_id', 'mode', 'identity')
        )
      )
    )
    const parked = await drain(batch, () =>
      build.deleteFrom('parked_events').where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('channel_id', 'mode', 'provider_id', 'identity'),
          'in',
          selectFrom('parked_events')
            .select(['channel_id', 'mode', 'provider_id', 'identity'])
            .where('at', '<', at - keepMs)
            .limit(batch)
            .$asTuple('channel_id', 'mode', 'provider_id', 'identity')
        )
      )
    )
    // Ids that never came to name anything.
    const ids = await drain(batch, () =>
      build
        .deleteFrom('message_ids')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('channel_id', 'mode', 'provider_id'),
            'in',
            selectFrom('message_ids')
              .select(['channel_id', 'mode', 'provider_id'])
              .where('message_id', 'is', null)
              .where('created_at', '<', at - keepMs)
              .limit(batch)
              .$asTuple('channel_id', 'mode', 'provider_id')
          )
        )
        .where('message_id', 'is', null)
    )
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
