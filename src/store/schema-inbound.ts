// The tables of what the providers tell by themselves; how values are kept, see schema.ts.

/** A provider's webhook as it came in: kept before it is acknowledged, read afterwards. */
export interface WebhookRow {
  id: string
  channel_id: string
  mode: 'live' | 'test'
  /** Bytes of its body, which lies in a table of its own. */
  size: number
  /** JSON, without what only concerns the connection. */
  headers: string
  /** Of its bytes, behind the millisecond in which they came. A release before has the digest alone, or behind it an id. */
  sha256: string
  state: 'waiting' | 'read' | 'set_aside'
  /** How many of the things that it tells have had their effect. */
  position: number
  /** Why it was set aside. */
  reason: string | null
  received_at: number
  /** How often it was taken in hand after an earlier process had left it, and nothing of it was read. */
  tries: number
}

export interface WebhookBodyRow {
  id: string
  body: Uint8Array
}

/** One for each channel and mode that has heard anything: who reads its webhooks, and when it last heard. */
export interface WebhookLaneRow {
  channel_id: string
  mode: 'live' | 'test'
  /** The process that reads, until `until` by the clock of the database. */
  holder: string | null
  until: number
  heard_at: number | null
  /** When the last status of a message came. */
  status_at: number | null
}

/** A generation of a channel's webhook token. The token itself is made from it and the pepper, and stored nowhere. */
export interface WebhookTokenRow {
  channel_id: string
  mode: 'live' | 'test'
  generation: number
  created_at: number
  /** It counts until then; null: it is the one in force. */
  ends_at: number | null
}

/** Something that was told and has had its effect, by its own identity. */
export interface HeardEventRow {
  channel_id: string
  mode: 'live' | 'test'
  identity: string
  at: number
}

/** Which message an id of the provider's names. */
export interface MessageIdRow {
  channel_id: string
  mode: 'live' | 'test'
  provider_id: string
  /** Null: nobody knows yet; something that was told of it is parked. */
  message_id: string | null
  /** Of which attempt it is. */
  attempt: number
  parked: number
  created_at: number
}

/** What was told of a message that nobody knew then, by each of the ids that it was told under. */
export interface ParkedEventRow {
  channel_id: string
  mode: 'live' | 'test'
  provider_id: string
  identity: string
  /** A Heard as JSON. */
  event: string
  at: number
  /** When it is taken for somebody else's message, if nothing is known of it by then; null: never. */
  due_at: number | null
}

/** Where a channel's webhooks go at its provider, as far as it was ever told or asked. */
export interface WebhookRegistrationRow {
  channel_id: string
  mode: 'live' | 'test'
  /** The provider's own id of it, where it gives one. */
  hook_id: string | null
  /** SHA-256 of the address that it was told, in hexadecimal; null: not known. */
  url_digest: string | null
  /** 1: we had the provider told. */
  registered: number
  /** What it said at the last look. */
  at_provider: 'true' | 'false' | 'unknown'
  /** A JSON array of what it tells, in its own words. */
  fields: string | null
  problem: string | null
  checked_at: number
  registered_at: number | null
  /** Since when nothing is told although messages are accepted, or since when it is known to be broken. */
  silent_since: number | null
}

/** The `reason` of a webhook that was set aside because its channel was not there when it was to be read. */
export const noSuchChannel = 'There is no such channel any more.'

/** A channel that the channels file held once and does not hold now. */
export interface MissingChannelRow {
  id: string
  /** Whose events it heard: one of the same name that hears another number is not this one. */
  source: string
  /** The beginning of the channel, which is in the addresses of its webhooks. */
  created_at: number
  /** A JSON array of its webhook_registrations. */
  registrations: string
  missing_since: number
}

export interface InboundTables {
  missing_channels: MissingChannelRow
  webhook_registrations: WebhookRegistrationRow
  webhooks: WebhookRow
  webhook_bodies: WebhookBodyRow
  webhook_lanes: WebhookLaneRow
  webhook_tokens: WebhookTokenRow
  heard_events: HeardEventRow
  message_ids: MessageIdRow
  parked_events: ParkedEventRow
}
