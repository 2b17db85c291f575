import type { ChannelHealth } from '../../schemas/channel-health.ts'
import type { Mode } from '../../schemas/common.ts'
import type { CircuitBreaker } from '../delivery/scheduling/circuit-breaker.ts'
import type { WaitEstimate } from '../delivery/scheduling/wait-estimate.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { prepare, type Store } from '../store/store.ts'
import type { Channels } from './channels.ts'
import { type Connections, type Standing, standingOf } from './connections.ts'

/** How a channel is doing, asked without sending anything. */
export interface ChannelHealths {
  /** Never fails for what Maton does: that is what it tells of. */
  get: (caller: Caller, channel: string) => Promise<ChannelHealth>
}

const instant = (ms: number | null): string | null => (ms === null ? null : new Date(Number(ms)).toISOString())

/** Puts together what Maton says of a channel's connection and what the journal knows. */
export function createChannelHealths(parts: {
  store: Store
  channels: Channels
  connections: Connections
  breaker: Pick<CircuitBreaker, 'openSince'>
  waitEstimate: (channel: string, mode: Mode) => Promise<WaitEstimate>
  /** Calls of the account; 0: nothing is paced. */
  ratePerSecond: number
}): ChannelHealths {
  const { store, channels, connections, breaker, waitEstimate, ratePerSecond } = parts
  const { build } = store
  /** The first step down the index messages_accepted. */
  const lastAccepted = prepare<{ channel: string; mode: string }, { accepted_at: number | null }>(p =>
    build
      .selectFrom('messages')
      .select('accepted_at')
      .where('channel_id', '=', p.channel)
      .where('mode', '=', p.mode as never)
      .where('accepted_at', 'is not', null)
      .orderBy('accepted_at', 'desc')
      .limit(1)
  )
  const statusOf = async (
    caller: Caller,
    { connectionId, provider }: { connectionId: string; provider: string }
  ): Promise<Standing> => {
    try {
      const found = await connections.get(caller, connectionId)
      // An active account of the other provider is of no use to this channel.
      return found.provider === provider ? found.status : 'missing'
    } catch (error) {
      if (error instanceof ServiceError) return standingOf(error)
      throw error
    }
  }
  return {
    get: async (caller, id) => {
      const channel = await channels.get(caller, id)
      const status = await statusOf(caller, channel)
      const checkedAt = new Date().toISOString()
      const openSince = await breaker.openSince(caller.mode, id)
      const { available, waiting, throttledUntil } = await waitEstimate(id, caller.mode)
      const [last] = await store.read(lastAccepted({ channel: id, mode: caller.mode }))
      return {
        channel: id,
        connection: { status, checkedAt },
        lastSuccessAt: instant(last?.accepted_at ?? null),
        paused: channel.paused,
        breaker: { state: openSince === null ? 'closed' : 'open', since: instant(openSince) },
        bucket: {
          ratePerSecond: ratePerSecond === 0 ? null : ratePerSecond,
          available,
          waiting,
          throttledUntil: instant(throttledUntil)
        }
      }
    }
  }
}
