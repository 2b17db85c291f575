import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { ProviderClient } from '../dispatch/provider-client.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import { createDoor, type Door } from './door.ts'
import { createEffects, type HeardHandlers, type HeardMessageHook } from './effects.ts'
import { createReader, type Reader } from './reader.ts'
import { createWebhookRegistrations, type WebhookRegistrations } from './registration.ts'
import { createReplay, type ReplayWebhooks } from './replay.ts'
import type { FileKeeper } from './rows.ts'
import { createWebhookTokens, type WebhookTokens } from './tokens.ts'
import { createWebhookUpkeep } from './upkeep.ts'
import { createWebhookWatch, type WebhookWatch } from './watch.ts'

export interface Inbound {
  door: Door
  tokens: WebhookTokens
  reader: Reader
  replay: ReplayWebhooks
  registrations: WebhookRegistrations
  watch: WebhookWatch
  /** Reads what was kept, and from then on whatever comes; watches over it, and drops what is old. */
  start: () => void
  stop: () => Promise<void>
}

export interface InboundParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  pepper: string
  metrics: Metrics
  log: Logger
  providerClient: ProviderClient
  /** How the outside reaches us, without a trailing slash; undefined: nobody said. */
  baseUrl: () => string | undefined
  /** The mode in which an administrator's acts count: test where there is no account. */
  mode: Mode
  /** What stands before /errors#code in a stored error. */
  typeBase: string
  keepFile: FileKeeper
  /** Kinds of what is told whose effects are other rooms' business. */
  handlers?: HeardHandlers
  heardMessage?: HeardMessageHook
  /** Something became of this message. */
  tell: (id: string) => void
  /** A message may wait to be sent. */
  wakeQueue: (mode: Mode) => void
}

/** What the providers tell by themselves: from their webhooks to what becomes of them here. */
export function createInbound(parts: InboundParts): Inbound {
  const { store, adapters, channels, metrics, pepper, log, tell, wakeQueue } = parts
  const tokens = createWebhookTokens(store, pepper)
  const effects = createEffects(parts)
  const reader = createReader({ store, adapters, channels, effects, metrics, log, tell, wakeQueue })
  const door = createDoor({ store, adapters, channels, tokens, metrics, wake: reader.wake })
  const registrations = createWebhookRegistrations({ ...parts, door, tokens })
  const watch = createWebhookWatch({ store, registrations, channels, log })
  const replay = createReplay(store, channels, reader.wake)
  const all = [reader, watch, createWebhookUpkeep(store, log)]
  return {
    ...{ door, tokens, reader, replay, registrations, watch },
    start: () => {
      for (const each of all) each.start()
    },
    stop: async () => {
      await Promise.all(all.map(each => each.stop()))
    }
  }
}
