/** Somebody who must not be messaged (docs/api.md 12). */
export interface SuppressionRow {
  id: string
  mode: 'live' | 'test'
  /** What it is found by: the person's name in one spelling, or of an erased person a keyed hash of it (src/messages/suppressed.ts). */
  name: string
  /** Empty: it holds for all channels. */
  channel_id: string
  category: 'all' | 'marketing'
  /** The name as it was given: digits, or a user id. Null once the person was erased. */
  identity: string | null
  reason: string | null
  /** `api` and `import`: a caller. `whatsapp` and `word`: the person's own will, as WhatsApp told it or as it was written to us. */
  source: 'api' | 'import' | 'whatsapp' | 'word'
  /** The id of the key; null where it was the person. */
  created_by: string | null
  /** When the person said it, as the provider tells; of a caller's: when it was made. */
  said_at: number
  created_at: number
}

export interface SuppressionTables {
  suppressions: SuppressionRow
}
