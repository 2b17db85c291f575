import type { MessageStatus } from '../../schemas/messages.ts'
import type { AuditTables } from './schema-audit.ts'
import type { ConsoleTables } from './schema-console.ts'
import type { EventTables } from './schema-events.ts'
import type { IdentityTables } from './schema-identities.ts'
import type { InboundTables } from './schema-inbound.ts'
import type { KeyTables } from './schema-keys.ts'
import type { SubscriptionTables } from './schema-subscriptions.ts'
import type { SuppressionTables } from './schema-suppressions.ts'
import type { UsageTables } from './schema-usage.ts'

// The tables. Instants are milliseconds since 1970, yes/no is 0/1, structured values are JSON text, on both databases.

/** Inner states: `claimed` is shown as queued. The rest are the public words. */
export type MessageState = MessageStatus | 'claimed'

export interface MessageRow {
  id: string
  service: string
  key_id: string
  mode: 'live' | 'test'
  channel_id: string
  provider: string
  direction: 'outbound' | 'inbound'
  /**
   * The person's number: the recipient of an outbound, the sender of an inbound message. Of an outbound one to a user id
   * that id, as it was addressed.
   */
  contact: string | null
  user_id: string | null
  type: string
  /** The type object as the caller gave it; null once it is dropped by retention. */
  content: string | null
  /** What sending needs beside the content: { replyTo?, providerOptions? }. */
  options: string | null
  state: MessageState
  final: number
  attempts: number
  /** 0: somebody waits for it. 1: one of many, which yields to those. */
  lane: number
  /** Which line it stands in while queued: mode, lane, service, channel and broadcast. Within a line the order is kept. */
  queue: string
  /** Due time while queued; while unknown, when it became so: it is final some time after that. */
  run_at: number
  /** While claimed or sending: after this instant of the database clock the holder is taken for dead. */
  lease_until: number | null
  send_at: number | null
  expires_at: number | null
  provider_message_id: string | null
  reference: string | null
  metadata: string | null
  warnings: string | null
  error: string | null
  resolution: string | null
  resend_of: string | null
  broadcast_id: string | null
  traceparent: string | null
  /** One JSON object a line, oldest first: every attempt and state change. Written with the change it tells of. */
  timeline: string
  created_at: number
  accepted_at: number | null
  sent_at: number | null
  delivered_at: number | null
  read_at: number | null
  failed_at: number | null
  /** `operator`: somebody else sent it through the channel's number, in the provider's inbox or the WhatsApp app. */
  origin: 'operator' | null
  /** The other side as the provider named it: { waId?, userId?, username?, name? }. */
  person: string | null
  /** What WhatsApp says that it costs: { category?, type?, model? }. */
  pricing: string | null
  /** The template's name, which stays when the content goes; the database sets it. */
  template?: string | null
  /** When its caller wants to be told that it has not been delivered. */
  deliver_by: number | null
  /** When that was told. */
  undelivered_at: number | null
}

export interface IdempotencyRow {
  service: string
  mode: string
  method: string
  path: string
  key: string
  request_hash: string
  /** The message that the request made; null on routes that make none. */
  message_id: string | null
  /** Null while the first request is under way. */
  status: number | null
  headers: string | null
  body: string | null
  locked_until: number
  created_at: number
}

export interface KeyRow {
  id: string
  hash: string
  pepper_version: number
  prefix: string
  last_four: string
  service: string
  name: string | null
  mode: 'live' | 'test'
  scopes: string
  channels: string | null
  templates: string | null
  recipient_prefixes: string | null
  cidrs: string | null
  default_channel: string | null
  /** { perSecond, burst } */
  rate_limit: string | null
  /** { perDay, timeZone? } */
  quota: string | null
  expires_at: number | null
  revoked_at: number | null
  last_used_at: number | null
  created_at: number
  created_by: string
}

export interface ChannelRow {
  id: string
  provider: string
  connection_id: string
  settings: string
  is_default: number
  paused: number
  managed_by: 'file' | 'api'
  created_at: number
  updated_at: number
}

export interface MediaRow {
  id: string
  service: string
  mode: 'live' | 'test'
  channel_id: string
  mime_type: string
  size: number
  sha256: string
  filename: string | null
  /** Where the provider keeps it; null: we keep the bytes. */
  provider_media_id: string | null
  /** MediaFacts as JSON; null of one that was kept before they were looked for. */
  facts: string | null
  created_at: number
  expires_at: number
}

export interface MediaChunkRow {
  media_id: string
  seq: number
  bytes: Uint8Array
}

/** A contact of our own address book, for a provider that keeps none. */
export interface ContactRow {
  id: string
  mode: 'live' | 'test'
  channel_id: string
  phone: string
  name: string | null
  /** The name as it is searched: both databases fold case differently, so neither is asked to. */
  name_folded: string | null
  /** Name and value pairs in their order; the same stand one by one in contact_attributes, to be searched. */
  attributes: string
  status: string
  created_at: number
  updated_at: number
}

/** One name of a person on a channel: digits, or a business-scoped user id. All that share `person` are one. */
export interface IdentityRow {
  channel_id: string
  mode: 'live' | 'test'
  identity: string
  person: string
  /** What the person calls itself at WhatsApp, without the @. */
  username: string | null
  created_at: number
  /** When it was last told to be the person's, by the provider's clock: what is older takes it from nobody. */
  told_at: number
}

export interface ContactAttributeRow {
  contact_id: string
  name: string
  value: string
  folded: string
}

/** A file that only the provider has, seen in a conversation: where it is. */
export interface RemoteMediaRow {
  id: string
  mode: 'live' | 'test'
  channel_id: string
  path: string
  mime_type: string
  filename: string | null
  created_at: number
  /** Until when the provider keeps it, where it says so. */
  expires_at: number | null
  /** Of its bytes, hex, where the provider says so. */
  sha256: string | null
}

/** What keeps messages from being dispatched, on every replica: the hold, a pause, a provider's Retry-After, an open breaker. */
export interface BlockRow {
  key: string
  /** It ends by itself at this instant; null: when it is lifted. */
  until: number | null
  detail: string | null
  at: number
}

/** One limit of an account, a number or an endpoint: the slots that were given away, oldest first. */
export interface PaceRow {
  key: string
  /** A JSON array of instants. */
  log: string
  updated_at: number
}

/** The last calls through a channel, for its breaker. */
export interface BreakerRow {
  key: string
  /** A JSON array of [instant, 1 for a failure or 0]. */
  log: string
  /** When an open one may be probed next. */
  probe_at: number
}

export interface BroadcastRow {
  id: string
  service: string
  key_id: string
  mode: 'live' | 'test'
  channel_id: string
  name: string
  /** { name, language? } */
  template: string
  /** `draft`: its recipients are being stored, and nobody has been told that it exists. */
  status: 'draft' | 'scheduled' | 'running' | 'paused' | 'finished' | 'failed' | 'canceled'
  total: number
  duplicates: number
  /** How many rows were left out as invalid. */
  skipped: number
  /** How many must not be messaged: their messages have failed from the beginning. */
  suppressed: number
  /** When its messages may go out: { from, to, timeZone, days? } as JSON; null: at any time. */
  sending_window: string | null
  rate_per_second: number | null
  start_at: number | null
  created_at: number
  started_at: number | null
  finished_at: number | null
}

/** What a store knows of who writes to it: `pepper`, its fingerprint, and `mode`, live for good once it has been. */
export interface StoreFactRow {
  name: 'pepper' | 'mode'
  value: string
}

export interface Database
  extends InboundTables,
    EventTables,
    KeyTables,
    ConsoleTables,
    SuppressionTables,
    IdentityTables,
    SubscriptionTables,
    AuditTables,
    UsageTables {
  store_facts: StoreFactRow
  messages: MessageRow
  blocks: BlockRow
  paces: PaceRow
  breakers: BreakerRow
  broadcasts: BroadcastRow
  idempotency: IdempotencyRow
  keys: KeyRow
  channels: ChannelRow
  media: MediaRow
  media_chunks: MediaChunkRow
  contacts: ContactRow
  contact_attributes: ContactAttributeRow
  identities: IdentityRow
  remote_media: RemoteMediaRow
}
