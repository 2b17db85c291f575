import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { ServiceError } from '../../src/errors.ts'
import { readTable, type TableOptions, type TableRow, type TableSource } from '../../src/tables/read.ts'

export const options: TableOptions = { path: '/file', own: ['phone', 'reference'], mostRows: 100_000 }

export async function rowsOf(source: TableSource, more: Partial<TableOptions> = {}): Promise<TableRow[]> {
  const rows: TableRow[] = []
  for await (const some of readTable(source, { ...options, ...more })) rows.push(...some)
  return rows
}
/** The rows of a table as text or bytes. */
export const read = (table: string | Buffer, more: Partial<TableOptions> = {}): Promise<TableRow[]> =>
  rowsOf({ bytes: Buffer.from(table) }, more)
export const cellsOf = async (table: string | Buffer, more: Partial<TableOptions> = {}) =>
  (await read(table, more)).map(({ cells }) => ({ ...cells }))

/** What a table is refused with: status, path and message of its first fault. */
export async function refusal(table: string | Buffer, more: Partial<TableOptions> = {}): Promise<string> {
  try {
    await read(table, more)
    return 'taken'
  } catch (error) {
    const { code, facts, message } = error as ServiceError
    const [fault] = facts?.errors ?? []
    return fault ? `${fault.path} ${fault.message}` : `${code} ${message}`
  }
}

/** A table written to disk. */
export function onDisk(t: Test, table: string | Buffer): TableSource {
  const file = join(t.testdir(), 'table')
  writeFileSync(file, table)
  return { file }
}
