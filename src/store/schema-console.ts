// The table of the operator's page; how values are kept, see schema.ts.

/** A session that was signed out, by the digest of its name, until it would have ended by itself. */
export interface ConsoleEndedRow {
  id: string
  until: number
}

export interface ConsoleTables {
  console_ended: ConsoleEndedRow
}
