import type { Logger } from 'pino'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import { createDoor, type Door } from './door.ts'
import { createWebhookTokens, type WebhookTokens } from './tokens.ts'

export interface Inbound {
  door: Door
  tokens: WebhookTokens
}

export interface InboundParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  pepper: string
  metrics: Metrics
  log: Logger
}

/** What the providers tell by themselves: from their webhooks to what becomes of them here. */
export function createInbound(parts: InboundParts): Inbound {
  const { store, adapters, channels, metrics, pepper } = parts
  const tokens = createWebhookTokens(store, pepper)
  const door = createDoor({ store, adapters, channels, tokens, metrics, wake: () => {} })
  return { door, tokens }
}
