// The tables of subscriptions and of what is delivered to them; how values are kept, see schema.ts.

export interface SubscriptionRow {
  id: string
  service: string
  mode: 'live' | 'test'
  /** Whose rights it has, as they are now: it ends with that key or identity. */
  key_id: string
  url: string
  /** A JSON array of types. */
  events: string
  /** A JSON array; null: all that its maker may see. */
  channels: string | null
  payload: 'full' | 'thin'
  ordered: number
  /** `deleted`: it is no longer there for anybody, and goes once its deliveries have. */
  disabled_reason: 'gone' | 'failing' | 'key_ended' | 'deleted' | null
  disabled_at: number | null
  /** When the first of the failures came that no success has followed. */
  failing_since: number | null
  /** Failures in a row. */
  failures: number
  /** How much of its time to failing has been told, in percent. */
  told: number
  /** Nothing is sent before this instant: it asked for that, or fails again and again. */
  resume_at: number
  /** How far it has read the journal. */
  position: number
  created_at: number
}

export interface SubscriptionSecretRow {
  id: string
  subscription_id: string
  /** Encrypted. */
  sealed: string
  created_at: number
  /** It signs until then; null: it is the one in force. */
  ends_at: number | null
}

export interface DeliveryRow {
  id: string
  subscription_id: string
  /** The event's place in the journal. */
  position: number
  event_id: string
  type: string
  /** `replay` and `test` count for nothing. */
  kind: 'event' | 'replay' | 'test'
  /** Of those with the same one the next goes when this one has ended; null: it waits for nobody. */
  lane: string | null
  state: 'pending' | 'delivered' | 'failed'
  /** When it goes next; while it is leased, when the lease ends. Null: another one of its lane goes first, or it has ended. */
  run_at: number | null
  /** Who has it in hand. */
  lease: string | null
  attempts: number
  /** One JSON object a line, oldest first: every attempt. */
  log: string
  created_at: number
  ended_at: number | null
}

/** A range of events that is being made into deliveries again. */
export interface ReplayRow {
  id: string
  subscription_id: string
  /** How far the journal has been read for it. */
  position: number
  /** The last place that belongs to it. */
  until: number
  only_failed: number
  created_at: number
}

export interface SubscriptionTables {
  subscriptions: SubscriptionRow
  subscription_secrets: SubscriptionSecretRow
  deliveries: DeliveryRow
  replays: ReplayRow
}
