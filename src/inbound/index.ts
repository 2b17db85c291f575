import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { Corridor } from '../dispatch/provider-client.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import { createDoor, type Door } from './door.ts'
import { createWebhookRegistrations, type WebhookRegistrations } from './registration.ts'
import { createWebhookTokens, type WebhookTokens } from './tokens.ts'
import { createWebhookWatch, type WebhookWatch } from './watch.ts'

export interface Inbound {
  door: Door
  tokens: WebhookTokens
  registrations: WebhookRegistrations
  watch: WebhookWatch
}

export interface InboundParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  pepper: string
  metrics: Metrics
  log: Logger
  corridor: Corridor
  /** How the outside reaches us, without a trailing slash; undefined: nobody said. */
  baseUrl: () => string | undefined
  /** The mode in which an administrator's acts count: test where there is no account. */
  mode: Mode
}

/** What the providers tell by themselves: from their webhooks to what becomes of them here. */
export function createInbound(parts: InboundParts): Inbound {
  const { store, adapters, channels, metrics, pepper, log } = parts
  const tokens = createWebhookTokens(store, pepper)
  const door = createDoor({ store, adapters, channels, tokens, metrics, wake: () => {} })
  const registrations = createWebhookRegistrations({ ...parts, door, tokens })
  const watch = createWebhookWatch({ store, registrations, log })
  return { door, tokens, registrations, watch }
}
