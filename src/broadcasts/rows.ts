import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import type { Recipient } from '../../schemas/broadcasts.ts'
import { unmarked } from '../csv.ts'
import { invalid, ServiceError } from '../errors.ts'

// Where the recipients come from: the body, or a table on disk. Both are read as often as is needed, from the beginning.

export type Source = { recipients: readonly Recipient[] } | { file: string }

/** One recipient as it was given. */
export interface Row {
  /** What stands before the paths of its faults. */
  path: string
  /** The member or column of the number. */
  toName: 'to' | 'phone'
  /** What stands before the name of a variable. */
  variablesPath: string
  to: string
  reference?: string
  variables: Record<string, string> | string[]
  /** It cannot be read as a row of its table. */
  fault?: string
}

const mostRows = 100_000
const longest = { column: 128, columns: 102, record: 256 * 1024 }

/**
 * The rows, one after the other; never all of them at once.
 * @param header is told the variables that the columns of a table name, before its first row, and throws where they do
 *   not fit
 */
export const rowsOf = (source: Source, header: (variables: string[]) => void): AsyncIterable<Row> =>
  'file' in source ? tableRows(source.file, header) : bodyRows(source.recipients)

async function* bodyRows(recipients: readonly Recipient[]): AsyncGenerator<Row> {
  for (const [i, { to, variables = {}, reference }] of recipients.entries()) {
    const path = `/recipients/${i}`
    yield {
      path,
      toName: 'to',
      variablesPath: `${path}/variables`,
      to,
      variables,
      ...(reference !== undefined && { reference })
    }
  }
}

/** The bytes as they are, as long as they are UTF-8: a parser would put other characters in the place of broken ones. */
async function* inUtf8(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const check = (chunk?: Buffer): void => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined })
    } catch {
      throw invalid('/file', 'must be UTF-8')
    }
  }
  for await (const chunk of bytes) {
    check(chunk)
    yield chunk
  }
  check()
}

/** Throws a 400 that names each wrong column. */
function requireColumns(columns: readonly string[]): void {
  if (columns.length > longest.columns) throw invalid('/file/0', `must not have more than ${longest.columns} columns`)
  const faults = columns.flatMap((column, i) => {
    const fault = (message: string) => [{ path: `/file/0/${i}`, message }]
    if (column === '' || column.length > longest.column)
      return fault(`must be the name of a column, of 1 to ${longest.column} characters`)
    if (column.includes('\0')) return fault('must not hold NUL')
    return columns.indexOf(column) === i ? [] : fault(`repeats the column ${column}`)
  })
  if (!columns.includes('phone')) faults.push({ path: '/file/0', message: 'must be a header row with a column phone' })
  if (faults.length === 0) return
  const told = faults.map(({ path, message }) => `${path} ${message}`).slice(0, 5)
  throw new ServiceError('invalid_request', told.join('; '), { errors: faults.slice(0, 100) })
}

/** Row 1 is the first below the header. An empty line counts, and is no recipient. */
async function* tableRows(file: string, header: (variables: string[]) => void): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: longest.record,
    // Said, and not guessed from the first line end that comes, which may stand in a cell.
    record_delimiter: ['\r\n', '\n']
  })
  // What goes wrong before the parser is thrown by its loop below; where that ends early, the file is closed as well.
  const feeding = pipeline(createReadStream(file), inUtf8, parser).catch(() => {})
  let columns: string[] | undefined
  let row = -1
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      row++
      const cells = record.map(unmarked)
      if (!columns) {
        columns = cells.map(cell => cell.trim())
        requireColumns(columns)
        header(columns.filter(column => column !== 'phone' && column !== 'reference'))
      } else if (row > mostRows) {
        throw new ServiceError('payload_too_large', `The table has more than ${mostRows} rows.`)
      } else if (cells.some(cell => cell !== '')) yield tableRow(columns, cells, row)
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // The parser is ahead of the loop: it alone knows which row it was at, the header being row 0.
    const { records = row + 1 } = error as { records?: number }
    const long = error.code === 'CSV_MAX_RECORD_SIZE'
    throw invalid(
      `/file/${records}`,
      long ? `is longer than ${longest.record} bytes` : 'is no CSV: a quote is not closed, or stands in a wrong place'
    )
  } finally {
    parser.destroy()
    await feeding
  }
  if (!columns) throw invalid('/file/0', 'must be a header row with a column phone')
}

function tableRow(columns: readonly string[], cells: readonly string[], row: number): Row {
  const path = `/file/${row}`
  const variables: Record<string, string> = {}
  const found: Row = { path, toName: 'phone', variablesPath: path, to: '', variables }
  for (const [i, column] of columns.entries()) {
    const cell = cells[i] ?? ''
    if (column === 'phone') found.to = cell
    else if (column !== 'reference') variables[column] = cell
    else if (cell.trim() !== '') found.reference = cell.trim()
  }
  if (cells.length !== columns.length) found.fault = `has ${cells.length} cells, and the header ${columns.length}`
  return found
}
