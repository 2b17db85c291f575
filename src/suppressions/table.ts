import type { Readable } from 'node:stream'
import type { FieldFault } from '../../schemas/problem.ts'
import {
  type SuppressionCategory,
  type SuppressionImport,
  type SuppressionTableFilter,
  suppressionCategories
} from '../../schemas/suppressions.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireChannel } from '../keys/caller.ts'
import { readPerson } from '../phone.ts'
import { auditEntry } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import { readTable, type TableRow } from '../tables/read.ts'
import { toCsvText } from '../tables/write.ts'
import { type Entries, toSuppression } from './entries.ts'
import type { Suppressions } from './suppressions.ts'

// Suppressions as a table: phone (a number or a user id), channel, category, reason. What else an export has is left alone
// by an import, so that one can be the other's.

const columns = ['phone', 'channel', 'category', 'reason', 'source', 'createdAt'] as const
const mostRows = 10_000
const mostFaults = 100
const longestReason = 500
/** Rows of one commit. */
const atOnce = 200

interface Line {
  identity: string
  channel: string | undefined
  category: SuppressionCategory
  reason: string | undefined
}

export interface SuppressionTable {
  /** All that the caller may see; without erased people, of whom no number is left. */
  export: (caller: Caller, filter: SuppressionTableFilter) => Readable
  /** Adds one for each row, once every row has been found right. */
  import: (
    caller: Caller,
    defaults: SuppressionTableFilter,
    bytes: Buffer,
    charset?: string
  ) => Promise<SuppressionImport>
  /** Throws what `import` would throw before it takes the first row: for an answer that is given again. */
  requireRights: (caller: Caller, defaults: SuppressionTableFilter, bytes: Buffer, charset?: string) => Promise<void>
}

export interface SuppressionTableParts {
  store: Store
  entries: Entries
  suppressions: Suppressions
}

function requireColumns(given: readonly string[]): void {
  const faults = given.flatMap((column, i) =>
    (columns as readonly string[]).includes(column)
      ? []
      : [{ path: `/0/${i}`, message: `is none of the columns ${columns.join(', ')}: ${column.slice(0, 40)}` }]
  )
  if (faults.length > 0) throw refusal(faults)
}

const refusal = (errors: FieldFault[]): ServiceError => {
  const told = errors.slice(0, 5).map(({ path, message }) => `${path} ${message}`)
  return new ServiceError('invalid_request', told.join('; '), { errors: errors.slice(0, mostFaults) })
}

function read({ row, cells, faults: wrong }: TableRow, defaults: SuppressionTableFilter, faults: FieldFault[]): Line {
  const before = faults.length
  const fault = (column: string, message: string) => faults.push({ path: `/${row}/${column}`, message })
  for (const { column, message } of wrong) faults.push({ path: `/${row}${column ? `/${column}` : ''}`, message })
  const { phone = '', channel = '', category = '', reason = '' } = cells
  const { value: identity, fault: misread } = readPerson(phone)
  if (faults.length === before && identity === undefined) fault('phone', misread)
  const known = suppressionCategories.find(each => each === category.trim())
  if (category.trim() !== '' && !known) fault('category', `must be one of ${suppressionCategories.join(', ')}`)
  if (reason.length > longestReason) fault('reason', `must not have more than ${longestReason} characters`)
  return {
    identity: identity ?? '',
    channel: channel.trim() || defaults.channel,
    // Who gives none means the person, and not some of the messages.
    category: known ?? defaults.category ?? 'all',
    reason: reason.trim() || undefined
  }
}

export function createSuppressionTable({ store, entries, suppressions }: SuppressionTableParts): SuppressionTable {
  async function* rows(caller: Caller, filter: SuppressionTableFilter): AsyncGenerator<string[]> {
    yield [...columns]
    let after: string | undefined
    for (;;) {
      const page = { limit: atOnce, ...(after !== undefined && { after }) }
      const found = await store.read(entries.list(caller, filter, page))
      for (const row of found.slice(0, atOnce)) {
        const { to, channel = '', category, reason = '', source, createdAt } = toSuppression(row)
        if (to !== null) yield [to, channel, category, reason, source, createdAt]
      }
      if (found.length <= atOnce) return
      after = found[atOnce - 1]!.id
    }
  }

  /** Every row is checked, and that the caller may suppress all of them, before any is taken. */
  const linesOf = async (caller: Caller, defaults: SuppressionTableFilter, bytes: Buffer, charset?: string) => {
    const lines: Line[] = []
    const faults: FieldFault[] = []
    const options = { path: '', own: columns, mostRows, charset, header: requireColumns }
    for await (const some of readTable({ bytes }, options)) {
      for (const row of some) if (faults.length < mostFaults) lines.push(read(row, defaults, faults))
      if (faults.length >= mostFaults) break
    }
    if (faults.length > 0) throw refusal(faults)
    for (const { channel, identity } of lines) await suppressions.requireRights(caller, channel, identity)
    return lines
  }

  return {
    export: (caller, filter) => {
      if (filter.channel !== undefined) requireChannel(caller, filter.channel)
      return toCsvText(rows(caller, filter))
    },

    import: async (caller, defaults, bytes, charset) => {
      const lines = await linesOf(caller, defaults, bytes, charset)
      let created = 0
      for (let i = 0; i < lines.length; i += atOnce)
        created += await store.write(function* () {
          let added = 0
          const by = { mode: caller.mode, source: 'import', createdBy: caller.keyId } as const
          for (const { channel = '', ...line } of lines.slice(i, i + atOnce))
            if ((yield* entries.add({ ...line, ...by, channel_id: channel })).added) added++
          const told = { mode: caller.mode, created: added }
          if (added > 0) yield* auditEntry(store, caller, 'suppressions.imported', 'suppressions', told)
          return added
        })
      return { rows: lines.length, created }
    },

    requireRights: async (...asked) => void (await linesOf(...asked))
  }
}
