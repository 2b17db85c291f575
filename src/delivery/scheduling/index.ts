import type { Logger } from 'pino'
import type { AnyAdapter, CallFacts, Limit } from '../../adapters/adapter.ts'
import type { Channels } from '../../channels/channels.ts'
import type { AdmissionChannel } from '../../dispatch/admission.ts'
import { CallFailed } from '../../dispatch/provider-client.ts'
import type { QueueQueries } from '../../messages/queue.ts'
import type { Store } from '../../store/store.ts'
import { createAdmission, type MessageAdmission } from './admission.ts'
import { type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.ts'
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'

export interface SchedulingParts {
  store: Store
  queue: QueueQueries
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  log: Logger
  /** Calls of the whole account; 0: nothing is paced. */
  ratePerSecond: number
  timeoutMs: number
  leaseMs: number
  /** When a message of a broadcast may go by its window; undefined: nobody can say just now. */
  opensAt: (window: string, person: string, now: number) => number | undefined
}

export interface Scheduling {
  rateLimiter: RateLimiter
  scheduler: Scheduler
  breaker: CircuitBreaker
  admission: MessageAdmission
  /** The provider's own limits that a call through a channel counts against. */
  limitsOf: (channel: Pick<AdmissionChannel, 'id' | 'mode'>, call: Partial<CallFacts>) => Limit[]
}

/** When what may go out: the account's pace, the providers' limits, turns, and the breakers. */
export function createScheduling(parts: SchedulingParts): Scheduling {
  const { store, queue, adapters, channels, log, ratePerSecond, timeoutMs, leaseMs, opensAt } = parts
  const paced = ratePerSecond > 0

  const limitsOf: Scheduling['limitsOf'] = ({ id, mode }, { operation, ...facts }) => {
    const channel = channels.peek(id, mode)
    const limits = channel && operation && adapters.get(channel.provider)?.limits?.(channel, { operation, ...facts })
    // Of one account at the provider, whatever channels go through it; test traffic has limits of its own.
    const own = (limits ?? []).map(limit => ({
      ...limit,
      key: `${mode}/${channel!.provider}/${channel!.connectionId}/${limit.key}`
    }))
    const trial = breaker.trial(mode, id)
    return trial ? [...own, trial] : own
  }
  const rateLimiter = createRateLimiter(store, ratePerSecond)
  const scheduler = createScheduler({
    store,
    rateLimiter,
    queue,
    log,
    leaseMs,
    opensAt,
    limitsOf: ({ channel_id: id, mode, type, contact }) =>
      limitsOf({ id, mode }, { operation: 'sendMessage', type, ...(contact && { to: contact }) }),
    chunkOf: ({ broadcast_id, provider }, rate, free) => {
      const most = broadcast_id === null ? undefined : adapters.get(provider)?.batch?.most
      if (most !== undefined) return Math.min(most, rate ?? most)
      // Without a pace there is nothing to wait for between them.
      return paced || rate !== null ? 1 : Math.max(1, free)
    }
  })
  const breaker = createCircuitBreaker({
    store,
    log,
    reach: async (mode, id, ask) => {
      const channel = await channels.bind(id, mode as AdmissionChannel['mode'])
      // Nobody will send through it any more.
      if (!channel) return true
      try {
        const { probe } = adapters.get(channel.provider)!
        if (!probe) return 'trial'
        await ask(channel, probe)
        return true
      } catch (error) {
        // Refused or throttled: somebody is at work again.
        return error instanceof CallFailed && error.record.status !== undefined && error.record.status < 500
      }
    }
  })
  return {
    rateLimiter,
    scheduler,
    breaker,
    limitsOf,
    admission: createAdmission({
      ...{ store, scheduler, breaker, log, paced, timeoutMs, limitsOf },
      rateLimiter
    })
  }
}
