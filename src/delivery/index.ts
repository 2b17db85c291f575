import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { OptionsCheck } from '../channels/provider-options.ts'
import type { Permit } from '../dispatch/admission.ts'
import type { Corridor, DispatchChannel } from '../dispatch/provider-client.ts'
import type { Seal } from '../keys/seal.ts'
import type { Settlements } from '../messages/notifications.ts'
import type { MessageQueries } from '../messages/queries.ts'
import type { QueueQueries } from '../messages/queue.ts'
import type { Metrics } from '../metrics.ts'
import type { MessageRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { createIntake, type Intake } from './intake/accept.ts'
import type { Room } from './intake/backlog-limit.ts'
import { createIdempotency, type Idempotency } from './intake/idempotency.ts'
import type { Preparation } from './intake/prepare.ts'
import { createMessages, type Messages } from './intake/submit.ts'
import type { Pacing } from './scheduling/index.ts'
import { createEngine, type Engine } from './sending/attempt.ts'
import { createReaper } from './sending/reaper.ts'
import { createWorker, type Worker } from './sending/worker.ts'

export interface DeliveryParts {
  store: Store
  queries: MessageQueries
  queue: QueueQueries
  channels: Channels
  corridor: Corridor
  preparation: Preparation
  pacing: Pacing
  settlements: Settlements
  room: Room
  /** Answers are to leave the content out. */
  unseen: boolean
  /** Whether a provider takes a broadcast's messages many in one call, and that call. */
  batched: (provider: string) => boolean
  checkOptions: OptionsCheck
  batch: (engine: Engine) => (rows: MessageRow[], channel: DispatchChannel, permit: Permit) => Promise<void>
  seal: Seal
  log: Logger
  metrics: Metrics
  /** Whole deadline of one provider call. */
  timeoutMs: number
  /** What stands before /errors#code in a stored error. */
  typeBase: string
}

export interface Delivery {
  engine: Engine
  worker: Worker
  intake: Intake
  idempotency: Idempotency
  messages: Messages
}

/** A message's life, from the request to the provider's answer. */
export function createDelivery(parts: DeliveryParts): Delivery {
  const { store, queries, queue, channels, corridor, preparation, pacing, settlements, room, log, metrics } = parts
  const { batched, batch, seal, checkOptions, timeoutMs, typeBase, unseen } = parts
  const { turns, breaker, gate, limitsOf } = pacing
  const engine = createEngine({
    ...{ store, queries, corridor, preparation, gate, settlements, log, metrics, timeoutMs, typeBase },
    providerOf: async id => (await channels.bind(id, 'live'))?.provider
  })
  const intake = createIntake({ channels, preparation, checkOptions, room, unseen })
  const worker = createWorker({
    ...{ store, queries, queue, channels, preparation, engine, turns, breaker, settlements, batched, log },
    reaper: createReaper({ store, queries, queue, log, typeBase, timeoutMs }),
    deliverBatch: batch(engine)
  })
  const idempotency = createIdempotency(store, seal)
  const messages = createMessages({
    ...{ store, queries, intake, preparation, engine, turns, settlements, idempotency, log },
    carry: worker.carry,
    bring: worker.bring,
    limitsOf: ({ channel_id: id, mode, type, contact }) =>
      limitsOf({ id, mode }, { operation: 'sendMessage', type, ...(contact && { to: contact }) })
  })
  return { engine, worker, intake, idempotency, messages }
}
