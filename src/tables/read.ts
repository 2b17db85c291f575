import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { invalid, ServiceError } from '../errors.ts'
import { readPhone } from '../phone.ts'
import { inUtf8 } from './charset.ts'
import { inTurns } from './in-turns.ts'
import type { RawRow } from './raw.ts'

// Tables as people have them: CSV in any dialect and encoding that is certain, and .xlsx. One reader for every import.

export type TableSource = { readonly file: string } | { readonly bytes: Buffer }

export interface TableOptions {
  /** What stands before the paths of faults: `/file`, or nothing where the body is the table. */
  path: string
  /** Columns with a meaning of their own, `phone` among them. They are known in any case of letters. */
  own: readonly string[]
  mostRows: number
  /** The encoding as the sender says it. */
  charset?: string | undefined
  /** Names of other columns are kept as they are written, spaces too. */
  exact?: boolean
  /** Told the columns before the first row; throws where they do not fit. */
  header?: (columns: string[]) => void
}

/** A row below the header. */
export interface TableRow {
  /** 1 is the first below the header; empty ones count. */
  row: number
  /** By column, one for each. */
  cells: Readonly<Record<string, string>>
  /** What is wrong with it: in a column, or as a whole. */
  faults: { column?: string; message: string }[]
}

const longest = { column: 128, columns: 102 }
/** Rows with nothing in them cost little, and not nothing; spreadsheets write some below the last one. */
const mostEmpty = 100_000

/** What a spreadsheet would run as a formula (docs/reliability.md T42); written with a ' before it, and read without. */
const marked = /^'(?=[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20])/
/** Text that was written as a formula, so that a spreadsheet does not take it for a number. */
const asFormula = /^="([^"]*)"$/

/** A cell as it was before we, or a spreadsheet, marked it as text. */
const unmarked = (cell: string): string =>
  marked.test(cell) ? cell.slice(1) : cell.startsWith('="') ? cell.replace(asFormula, '$1') : cell
/** No number begins with an apostrophe: whoever wrote one meant text. */
const phoneCell = (cell: string): string => unmarked(cell.trim()).replace(/^['’]/, '')

const unseen = /[\u200B\u200E\u200F\u2060\uFEFF]/g
const plainName = (cell: string): string => cell.replace(unseen, '').trim()

/** The columns as they are called here; empty ones at the end are none. */
function columnsOf(cells: readonly string[], { own, exact = false }: TableOptions): string[] {
  const raw = cells.map(unmarked)
  const columns = raw.map(cell => (exact && !own.includes(plainName(cell)) ? cell : plainName(cell)))
  while (columns.length > 0 && columns.at(-1) === '') columns.pop()
  for (const name of own) {
    // Written as it is called it is meant; else it is meant in other letters.
    if (columns.includes(name)) continue
    for (const [i, column] of columns.entries()) if (plainName(column).toLowerCase() === name) columns[i] = name
  }
  return columns
}

const refusal = (faults: { path: string; message: string }[]): ServiceError => {
  const told = faults.slice(0, 5).map(({ path, message }) => `${path} ${message}`)
  return new ServiceError('invalid_request', told.join('; '), { errors: faults.slice(0, 100) })
}

/** Throws a 400 that names each wrong column. */
function requireColumns(columns: readonly string[], { path }: TableOptions): void {
  if (columns.length > longest.columns) throw invalid(`${path}/0`, `must not have more than ${longest.columns} columns`)
  const faults = columns.flatMap((column, i) => {
    const fault = (message: string) => [{ path: `${path}/0/${i}`, message }]
    if (column === '' || column.length > longest.column)
      return fault(`must be the name of a column, of 1 to ${longest.column} characters`)
    if (column.includes('\0')) return fault('must not hold NUL')
    return columns.indexOf(column) === i ? [] : fault(`repeats the column ${column}`)
  })
  if (!columns.includes('phone')) {
    const named = columns.slice(0, 10).map(column => `“${column.slice(0, 40)}”`)
    const numbers = columns.some(column => readPhone(phoneCell(column)).value !== undefined)
    const message = numbers
      ? 'holds a telephone number: put a header row above it, with a name for each column, one of which is phone'
      : `has no column phone, only ${named.join(', ')}: call the one with the telephone numbers phone`
    faults.push({ path: `${path}/0`, message })
  }
  if (faults.length > 0) throw refusal(faults)
}

/** What is no table, by its first bytes. */
const strangers: readonly (readonly [RegExp, string])[] = [
  [/^\xD0\xCF\x11\xE0/, 'an old Excel file (.xls), or one that is protected by a password'],
  [/^%PDF/, 'a PDF'],
  [/^\x1F\x8B|^BZh|^7z\xBC\xAF|^Rar!|^\xFD7zXZ/, 'a compressed file'],
  [/^\s*<(?:!doctype|html|table|\?xml|div|meta|head)/i, 'HTML or XML, whatever its name ends in'],
  [/^\s*(?:\[\s*[[{"]|\{\s*")/, 'JSON']
]

const pieces = 64 * 1024
/** Bytes of a file that are read at a time: the rows of more would outlive a turn, and fill the heap. */
const highWaterMark = 16 * 1024
async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces)
}

async function headOf(source: TableSource): Promise<Buffer> {
  if ('bytes' in source) return source.bytes.subarray(0, 64)
  const file = await open(source.file)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** The rows as the file has them, whatever it is. Its reader is loaded with the first table. Throws a 400 that names what is no table. */
async function rawRows(source: TableSource, options: TableOptions): Promise<AsyncGenerator<RawRow[]>> {
  const head = (await headOf(source)).toString('latin1').replace(/^\xEF\xBB\xBF/, '')
  const isHeader = (cells: string[]) => columnsOf(cells, options).includes('phone')
  const { path, charset } = options
  if (head.startsWith('PK\x03\x04')) {
    const { sheetRows } = await import('./xlsx.ts')
    return sheetRows(source, isHeader, path || '/')
  }
  const stranger = strangers.find(([mark]) => mark.test(head))
  if (stranger) throw invalid(path || '/', `is ${stranger[1]}, and no table: save it as CSV (UTF-8) or .xlsx`)
  const { csvRows } = await import('./csv.ts')
  const bytes = 'bytes' in source ? inPieces(source.bytes) : createReadStream(source.file, { highWaterMark })
  return csvRows(inUtf8(bytes as AsyncIterable<Buffer>, charset, path || '/'), isHeader, path)
}

/**
 * The rows of a table, some at a time and never all of them at once. The first with anything in it is the header. What is
 * wrong with a row stands at it; what is wrong with the table is thrown.
 */
export async function* readTable(source: TableSource, options: TableOptions): AsyncGenerator<TableRow[]> {
  const { path, mostRows, header } = options
  let columns: string[] | undefined
  let headerAt = 0
  let count = 0
  const take = ({ at, cells, wrong = [] }: RawRow): TableRow | undefined => {
    if (++count > mostRows + mostEmpty)
      throw new ServiceError('payload_too_large', 'The table has too many empty rows.')
    if (wrong.length === 0 && cells.every(cell => cell === '')) return undefined
    if (columns) {
      if (at - headerAt > mostRows)
        throw new ServiceError('payload_too_large', `The table has more than ${mostRows} rows.`)
      return rowOf(columns, cells, wrong, at - headerAt)
    }
    if (wrong.length === 0 && cells.every(cell => cell.trim() === '')) return undefined
    headerAt = at
    if (wrong[0]) throw invalid(`${path}/0`, wrong[0].message)
    columns = columnsOf(cells, options)
    requireColumns(columns, options)
    header?.(columns)
    return undefined
  }
  for await (const some of inTurns(await rawRows(source, options)))
    yield some.map(take).filter(row => row !== undefined)
  if (!columns) throw invalid(`${path}/0`, 'is missing: a table begins with a header row, one column of which is phone')
}

/** A row by its columns. Where cells are missing at its end, they are empty: spreadsheets leave them out. */
function rowOf(
  columns: readonly string[],
  cells: readonly string[],
  wrong: NonNullable<RawRow['wrong']>,
  row: number
): TableRow {
  const named: Record<string, string> = Object.create(null)
  for (const [i, column] of columns.entries()) {
    const cell = cells[i] ?? ''
    named[column] = column === 'phone' ? phoneCell(cell) : unmarked(cell)
  }
  const faults: TableRow['faults'] = wrong.map(({ cell, message }) => {
    const column = cell === undefined ? undefined : columns[cell]
    return column === undefined ? { message } : { column, message }
  })
  const beyond = cells.findLastIndex(cell => cell !== '')
  if (beyond >= columns.length) faults.push({ message: `has ${beyond + 1} cells, and the header ${columns.length}` })
  return { row, cells: named, faults }
}
