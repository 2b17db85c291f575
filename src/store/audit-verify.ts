import type { ChainEnd } from './audit-chain.ts'
import { digest } from './audit-chain.ts'
import type { AuditChainRow, AuditRow } from './schema-audit.ts'

/** What the chain tells of the audit log. */
export interface AuditVerdict {
  /** Entries that were held against the chain. */
  entries: number
  /** Entries of a release that knew no chain, which have no place yet. */
  loose: number
  begin: ChainEnd
  end: ChainEnd
  /** A sentence for each thing that is not as it was written. */
  faults: string[]
}

/** Runs a query without parameters. It may see a later state than the one before it. */
export type ReadRows = <R>(query: string) => Promise<R[]>

const page = 1000
const digestOf = ({ hash }: ChainEnd): string => hash
const mostFaults = 100

async function ends(read: ReadRows): Promise<{ begin: ChainEnd; end: ChainEnd }> {
  const rows = await read<AuditChainRow>('select name, position, hash from audit_chain')
  const named = (name: AuditChainRow['name']): ChainEnd => {
    const { position = 0, hash = '' } = rows.find(each => each.name === name) ?? {}
    return { position: Number(position), hash }
  }
  return { begin: named('start'), end: named('end') }
}

/**
 * Holds the audit log against its chain. A log whose chain was made anew from some entry on is whole by itself: only an end
 * that was noted elsewhere finds that.
 * @param noted an end that was told earlier: it must still be there, unless retention has passed it
 */
export async function verifyAudit(read: ReadRows, noted?: ChainEnd): Promise<AuditVerdict> {
  for (;;) {
    const verdict = await look(read, noted)
    // Retention has gone on meanwhile: what it deleted is not missing.
    if (verdict.faults.length === 0 || (await ends(read)).begin.position === verdict.begin.position) return verdict
  }
}

async function look(read: ReadRows, noted?: ChainEnd): Promise<AuditVerdict> {
  const { begin, end } = await ends(read)
  const faults: string[] = []
  const fault = (sentence: string): void => {
    if (faults.length < mostFaults) faults.push(sentence)
  }
  let entries = 0
  let last = begin
  let seen = begin.position
  for (;;) {
    // Bounded by the end that was read first: a running server goes on writing.
    const rows = await read<AuditRow>(
      `select * from audit where position > ${seen} and position <= ${end.position} order by position limit ${page}`
    )
    for (const row of rows) {
      const position = Number(row.position)
      const gap = position - seen - 1
      if (gap > 0) fault(`${gap} ${gap === 1 ? 'entry is' : 'entries are'} missing before place ${position}`)
      // Behind a gap nothing is known to go on from.
      else if (digest(last.hash, position, { ...row, at: Number(row.at) }) !== row.hash)
        fault(`the entry at place ${position} (${row.id}) is not as it was written, or not where it was`)
      const { hash: told } = row
      if (noted?.position === position && told !== noted.hash)
        fault(`the entry at place ${position} is another than was noted: the chain was made anew`)
      entries++
      seen = position
      last = { position, hash: row.hash! }
    }
    if (rows.length < page) break
  }
  if (seen < end.position) fault(`the newest ${end.position - seen} entries are missing`)
  else if (digestOf(last) !== digestOf(end)) fault('the end of the chain is not that of its newest entry')
  if (noted && noted.position > end.position) fault(`the chain ends before the noted place ${noted.position}`)
  const [loose] = await read<{ count: number }>('select count(*) as count from audit where position is null')
  return { entries, loose: Number(loose!.count), begin, end, faults }
}
