import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { Config } from '../config.ts'
import type { Events } from '../events/index.ts'
import { newId } from '../ids.ts'
import { createRights, type Rights } from '../keys/rights.ts'
import { createSeal } from '../keys/seal.ts'
import type { Metrics } from '../metrics.ts'
import { createPeriodic } from '../periodic.ts'
import type { Store } from '../store/store.ts'
import type { Egress } from '../upstream/egress.ts'
import type { Poster } from '../upstream/post.ts'
import { createDeliveryActs, type DeliveryActs } from './acts.ts'
import { createDeliverer, type Deliverer } from './deliver.ts'
import { createFollower, type Follower } from './follow.ts'
import { createMakers } from './makers.ts'
import { deliveryQueries } from './queries.ts'
import { createSecrets } from './secrets.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'
import { createSubscriptionUpkeep, type SubscriptionUpkeep } from './upkeep.ts'

// Who is told of events (docs/subscriptions.md). The follower reads the journal for each subscription and makes a row of each
// event that it asks for; the deliverer claims what is due, posts it, and writes down what became of it.

export interface SubscriptionRoom {
  /** What the routes call. */
  acts: { subscriptions: Subscriptions; deliveries: DeliveryActs }
  /** Its parts, for tests. */
  parts: { follower: Follower; deliverer: Deliverer; upkeep: SubscriptionUpkeep }
  start: () => void
  stop: () => Promise<void>
}

export interface SubscriptionRoomParts {
  store: Store
  events: Pick<Events, 'journal' | 'keepUndelivered'>
  metrics: Metrics
  log: Logger
  egress: () => Promise<Pick<Egress, 'guard'>>
  channels: Pick<Channels, 'ids'>
  pepper: string
  config: Pick<Config, 'RETENTION_DAYS'>
  rights?: Rights
  clock?: () => number
  random?: () => number
}

/** Between two looks at what has been failing, has ended or is old. */
const sweepMs = 60_000

/** The room of subscriptions, put together. */
export function createSubscriptionRoom(parts: SubscriptionRoomParts): SubscriptionRoom {
  const { store, metrics, log, clock = store.clock, random = Math.random } = parts
  const { journal } = parts.events
  const rights = parts.rights ?? createRights(store, clock)
  const queries = deliveryQueries(store)
  const secrets = createSecrets(store, createSeal(parts.pepper), () => newId('sec'))
  let opened: Promise<Poster> | undefined
  const guard = async () => (await parts.egress()).guard
  const open = async () => (await import('../upstream/post.ts')).createPoster(await guard())
  const poster = (): Promise<Poster> => (opened ??= open())
  const makerOf = createMakers(rights)
  const common = { store, queries, journal, makerOf, log, clock }
  const deliverer = createDeliverer({ ...common, secrets, poster, metrics, random })
  const follower = createFollower({ ...common, deliver: deliverer.wake })
  const upkeep = createSubscriptionUpkeep({ store, log, clock }, parts.config.RETENTION_DAYS)
  const sweeping = createPeriodic(upkeep.sweep, sweepMs, log, 'subscriptions could not be looked after')
  const wake = (): void => {
    follower.wake()
    deliverer.wake()
  }
  const subscriptions = createSubscriptions({
    ...{ store, secrets, rights, guard, wake, clock },
    channelIds: parts.channels.ids,
    end: journal.end,
    giveUp: upkeep.giveUp
  })
  parts.events.keepUndelivered(upkeep.undelivered)
  metrics.add({
    name: 'subscriptions',
    figures: {
      switchboard_subscriptions: { help: 'Subscriptions, by how they are', labels: ['state'] },
      switchboard_deliveries_waiting: { help: 'Events that wait to be delivered', labels: ['service'] }
    },
    look: async tell => {
      const { build } = store
      for (const row of await store.read(
        build
          .selectFrom('subscriptions as s')
          .select(['s.service', 's.disabled_reason', 's.failing_since'])
          .select(eb =>
            eb
              .selectFrom('deliveries as d')
              .select(count => count.fn.countAll<number>().as('n'))
              .whereRef('d.subscription_id', '=', 's.id')
              .where('d.state', '=', 'pending')
              .as('waiting')
          )
          .compile()
      )) {
        if (row.disabled_reason === 'deleted') continue
        const state = row.disabled_reason !== null ? 'disabled' : row.failing_since !== null ? 'failing' : 'active'
        tell('switchboard_subscriptions', 1, { state })
        tell('switchboard_deliveries_waiting', Number(row.waiting), { service: row.service })
      }
    }
  })
  const deliveries = createDeliveryActs({
    ...{ store, subscriptions, queries, journal, secrets, rights, poster, clock },
    wake: follower.wake,
    deliver: deliverer.wake
  })
  return {
    acts: { subscriptions, deliveries },
    parts: { follower, deliverer, upkeep },
    start: () => {
      deliverer.start()
      follower.start()
      sweeping.start()
    },
    stop: async () => {
      await Promise.all([follower.stop(), sweeping.stop()])
      await deliverer.stop()
      await (await opened)?.close()
    }
  }
}
