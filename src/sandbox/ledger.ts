import type { IncomingHttpHeaders } from 'node:http'

/** One call that reached the sandbox, and what became of it. */
export interface LedgerEntry {
  n: number
  /** RFC 3339 instant of arrival */
  at: string
  /** e.g. `wati.sendSessionMessage`, `cloud.markRead`; empty for a path that nobody serves */
  operation: string
  kind: 'send' | 'write' | 'read' | 'none'
  method: string
  path: string
  query: Record<string, unknown>
  headers: IncomingHttpHeaders
  /** parsed JSON, a form as an object, or a list of multipart parts */
  body: unknown
  /** 0 while nothing was answered, and for ever where the connection was dropped */
  status: number
  /** whether the provider really did it, whatever the caller was told */
  processed: boolean
  to?: string
  messageId?: string
  /** every message really taken; more than one in bulk calls */
  deliveries: { to: string; messageId: string }[]
  /** the fault that was played, by its name */
  fault?: string
  /** a refusal for the state of things (unknown template, duplicate, …): no defect of the caller */
  refused?: string
  /** what a correct client would never have sent */
  violations: string[]
}

/** Everything that the sandbox has seen, oldest first, bounded. */
export interface Ledger {
  readonly entries: LedgerEntry[]
  /** the processed sends */
  sends(): LedgerEntry[]
  /** every violation, as `operation: text` */
  violations(): string[]
  clear(): void
  /** entries dropped because the ledger was full */
  readonly dropped: number
  /** numbers an entry and keeps it */
  record(entry: LedgerEntry): void
}

/** Keeps up to `limit` entries and forgets the oldest tenth when full; with limit 0 it keeps none. */
export function createLedger(limit: number): Ledger {
  const entries: LedgerEntry[] = []
  let dropped = 0
  let count = 0
  return {
    entries,
    get dropped() {
      return dropped
    },
    sends: () => entries.filter(entry => entry.kind === 'send' && entry.processed),
    violations: () =>
      entries.flatMap(entry =>
        entry.violations.map(text => `${entry.operation || `${entry.method} ${entry.path}`}: ${text}`)
      ),
    clear() {
      entries.length = 0
      dropped = 0
    },
    record(entry) {
      count += 1
      entry.n = count
      if (limit === 0) return
      if (entries.length >= limit) {
        // in one piece, so that a long run pays for it rarely
        dropped += entries.splice(0, Math.ceil(limit / 10)).length
      }
      entries.push(entry)
    }
  }
}
