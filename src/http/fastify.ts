// For its types alone: operationId, tags and hide in a route's schema.
import type {} from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import type { Scope } from '../../schemas/keys.ts'
import type { Broadcasts } from '../broadcasts/broadcasts.ts'
import type { Channels } from '../channels/channels.ts'
import type { Connections } from '../channels/connections.ts'
import type { ChannelHealths } from '../channels/health.ts'
import type { Numbers } from '../channels/numbers.ts'
import type { Contacts } from '../contacts/contacts.ts'
import type { Conversations } from '../contacts/conversations.ts'
import type { Erase } from '../contacts/erase.ts'
import type { History } from '../contacts/history.ts'
import type { ContactTable } from '../contacts/table.ts'
import type { DryRunner } from '../delivery/intake/dry-run.ts'
import type { Idempotency } from '../delivery/intake/idempotency.ts'
import type { Messages } from '../delivery/intake/submit.ts'
import type { Unknowns } from '../delivery/unknown/index.ts'
import type { Native } from '../dispatch/native.ts'
import type { EventReads } from '../events/index.ts'
import type { Callers, Identities } from '../identities/index.ts'
import type { Door } from '../inbound/door.ts'
import type { WebhookRegistrations } from '../inbound/registration.ts'
import type { ReplayWebhooks } from '../inbound/replay.ts'
import type { Caller } from '../keys/caller.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { MediaLibrary } from '../media/library.ts'
import type { RestoreHold } from '../messages/restore-hold.ts'
import type { Metrics } from '../metrics.ts'
import type { Overviews } from '../overview/index.ts'
import type { Timing } from '../request-trace.ts'
import type { Audit } from '../store/audit.ts'
import type { DeliveryActs } from '../subscriptions/acts.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import type { Suppressions } from '../suppressions/suppressions.ts'
import type { SuppressionTable } from '../suppressions/table.ts'
import type { Templates } from '../templates/templates.ts'
import type { OpenSpan, Tracing } from '../tracing/tracing.ts'
import type { UsageRoom } from '../usage/index.ts'

// The routes' door: what a file in routes/ may use.

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
/** A file of routes. It is called once, before the server listens. */
export type RoutePlugin = (app: App) => void

/** What the application is made of, and what routes find on it by these names. */
export interface AppParts {
  keyring: Keyring
  limiter: Limiter
  identities: Identities
  callers: Callers
  usage: UsageRoom
  channels: Channels
  channelHealth: ChannelHealths
  connections: Connections
  native: Native
  dryRun: DryRunner
  messages: Messages
  unknowns: Unknowns
  broadcasts: Broadcasts
  conversations: Conversations
  templates: Templates
  numbers: Numbers
  media: MediaLibrary
  contacts: Contacts
  erase: Erase
  history: History
  suppressions: Suppressions
  suppressionTable: SuppressionTable
  contactTable: ContactTable
  idempotency: Idempotency
  audit: Audit
  hold: RestoreHold
  events: EventReads
  subscriptions: Subscriptions
  deliveries: DeliveryActs
  overviews: Overviews
  door: Door
  replayWebhooks: ReplayWebhooks
  webhookRegistrations: WebhookRegistrations
  metrics: Metrics
  /** Where somebody set a collector. */
  tracing?: Tracing | undefined
  /** Throws where METRICS_TOKEN is set and this Authorization header does not carry it. */
  requireScraper: (authorization: string | undefined) => void
  /** Whether a load balancer may send traffic: null, or the reason why not. */
  notReady: () => Promise<string | null>
  /** What is not as it should be although traffic may come: null, or the words for it. */
  degraded: () => Promise<string | null>
  /** sandbox: there is no account. */
  serverMode: 'live' | 'sandbox'
}

declare module 'fastify' {
  interface FastifyInstance extends AppParts {
    publicUrl: string
  }
  interface FastifyRequest {
    /** Who asks; set on every route that has a scope. */
    caller: Caller
    /** Who asks, as the key is now, for answers that last. Throws where it may not ask any more. */
    authenticateAgain: () => Promise<Caller>
    timing: Timing
    /** The message that it made or asked about, for its log line. */
    messageId?: string
    /** Its span, where somebody traces. */
    span: OpenSpan | undefined
    /** What work on its behalf belongs to: its own span, or else what the caller sent. It is kept with a message. */
    traceparent: string | undefined
    /** The channel that it went through. */
    channelId?: string
  }
  interface FastifyContextConfig {
    /** The right that a key needs; `any` is any valid key. Absent: no key is asked for. */
    scope?: Scope | 'any'
    /** It only keeps something from going out: a live key may in sandbox mode too. */
    stops?: true
    /** Answered under any load: whoever watches must see it. */
    vital?: true
    /** Bodies that may be long and slow, with the limit of the route itself. */
    upload?: true
    /** Whatever comes is taken as bytes: no rule for bodies and queries holds. */
    raw?: true
  }
}
