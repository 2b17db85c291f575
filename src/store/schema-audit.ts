export interface AuditRow {
  id: string
  at: number
  /** The id of a key or an identity; `start`: the server itself. */
  actor: string
  /** Whom the token of an identity named. */
  subject: string | null
  /** Where the request came from. */
  address: string | null
  action: string
  target: string
  detail: string | null
  /** Its place in the chain; null of an entry that a release before the chain has written, until it gets one. */
  position: number | null
  hash: string | null
}

export interface AuditChainRow {
  /** `start`: the last entry that retention has deleted; `end`: the newest. */
  name: 'start' | 'end'
  position: number
  hash: string
}

export interface AuditTables {
  audit: AuditRow
  audit_chain: AuditChainRow
}
