/** One secret of a key. The one without an end is the newest: the row of its key holds that one's digest too. */
export interface KeySecretRow {
  id: string
  key_id: string
  hash: string
  pepper_version: number
  prefix: string
  last_four: string
  created_at: number
  /** When the overlap that a rotation left it is over. */
  expires_at: number | null
  last_used_at: number | null
  /** The address that it was last used from; null where nobody could read it, too. */
  last_used_from: string | null
  /** The secret itself, closed by the pepper, for a rotation whose answer may have been lost. */
  sealed: string | null
  sealed_until: number | null
}

/** What a key or an identity has used of its limits. */
export interface LimitRow {
  key_id: string
  /** Requests that could come at once, in millionths, at the instant `at`; null: as many as the burst. */
  level: number | null
  at: number
  /** The day that `used` was counted on, as 2026-11-28; empty before the first. */
  date: string
  used: number
}

export interface KeyTables {
  key_limits: LimitRow
  key_secrets: KeySecretRow
}
