import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { OptionsCheck } from '../channels/provider-options.ts'
import type { ProviderClient } from '../dispatch/provider-client.ts'
import type { Seal } from '../keys/seal.ts'
import type { Notifications } from '../messages/notifications.ts'
import type { MessageQueries } from '../messages/queries.ts'
import type { QueueQueries } from '../messages/queue.ts'
import type { Suppressed } from '../messages/suppressed.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import { type Accept, createAccept } from './intake/accept.ts'
import type { BacklogLimit } from './intake/backlog-limit.ts'
import { createIdempotency, type Idempotency } from './intake/idempotency.ts'
import type { Preparation } from './intake/prepare.ts'
import { createMessages, type Messages } from './intake/submit.ts'
import type { Scheduling } from './scheduling/index.ts'
import { createExecutor, type Executor } from './sending/attempt.ts'
import { createReaper } from './sending/reaper.ts'
import { createWorker, type Worker } from './sending/worker.ts'

export interface DeliveryParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  queue: QueueQueries
  channels: Channels
  providerClient: ProviderClient
  preparation: Preparation
  scheduling: Scheduling
  notifications: Notifications
  backlogLimit: BacklogLimit
  /** Answers are to leave the content out. */
  unseen: boolean
  /** Whether a provider takes a broadcast's messages many in one call. */
  batched: (provider: string) => boolean
  checkOptions: OptionsCheck
  /** How many messages of a mode may be on their way in this process. */
  most: (mode: string) => number
  seal: Seal
  log: Logger
  metrics: Metrics
  /** Whole deadline of one provider call. */
  timeoutMs: number
  /** What stands before /errors#code in a stored error. */
  typeBase: string
}

export interface Delivery {
  executor: Executor
  worker: Worker
  accept: Accept
  idempotency: Idempotency
  messages: Messages
}

/** A message's life, from the request to the provider's answer. */
export function createDelivery(parts: DeliveryParts): Delivery {
  const {
    store,
    queries,
    queue,
    channels,
    providerClient,
    preparation,
    scheduling,
    notifications,
    backlogLimit,
    log,
    metrics
  } = parts
  const { suppressed, batched, most, seal, checkOptions, timeoutMs, typeBase, unseen } = parts
  const { scheduler, breaker, admission, limitsOf } = scheduling
  const executor = createExecutor({
    ...{ store, queries, suppressed, providerClient, preparation, admission, notifications, log },
    ...{ metrics, timeoutMs, typeBase },
    providerOf: async id => (await channels.bind(id, 'live'))?.provider
  })
  const accept = createAccept({ channels, preparation, checkOptions, backlogLimit, unseen, clock: store.clock })
  const worker = createWorker({
    ...{ store, queue, channels, executor, scheduler, breaker, batched, log },
    reaper: createReaper({ store, queries, queue, metrics, log, typeBase, timeoutMs }),
    most,
    // A read that asks whether anybody is there waits no longer than for that.
    ask: (channel, { operation, input }) =>
      providerClient.call(operation, channel, input as never, { probe: true, timeoutMs: Math.min(timeoutMs, 4000) })
  })
  const idempotency = createIdempotency(store, seal)
  const messages = createMessages({
    ...{ store, queries, suppressed, accept, preparation, executor, scheduler, notifications, idempotency, log },
    basePath: typeBase === '' ? '' : new URL(typeBase).pathname.replace(/\/$/, ''),
    failOver: worker.failOver,
    deliverOwn: worker.deliverOwn,
    limitsOf: ({ channel_id: id, mode, type, contact }) =>
      limitsOf({ id, mode }, { operation: 'sendMessage', type, ...(contact && { to: contact }) })
  })
  return { executor, worker, accept, idempotency, messages }
}
