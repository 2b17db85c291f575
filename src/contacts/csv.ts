import { isUtf8 } from 'node:buffer'
import type { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import type { Contact } from '../../schemas/contacts.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import { toCsvText, unmarked } from '../csv.ts'
import { invalid, ServiceError } from '../errors.ts'
import { readPerson } from '../phone.ts'

// Contacts as a table (RFC 4180): a column `phone`, a column `name`, and one for each attribute.

export const MOST_ROWS = 10_000
/** As in a JSON body (schemas/contacts.ts). */
const longest = { column: 128, name: 256, value: 1024, columns: 102 }

/** One person of a table. */
export interface Line {
  phone: string
  name?: string
  attributes: Record<string, string>
}

/** A table of contacts as text, row by row, with these attributes as its columns. */
export function toCsv(attributes: readonly string[], contacts: AsyncIterable<Contact>): Readable {
  const names = attributes.filter(name => name !== 'phone' && name !== 'name')
  async function* rows() {
    yield ['phone', 'name', ...names]
    for await (const { phone, userIds, name, attributes: has } of contacts)
      yield [phone ?? userIds[0] ?? '', name ?? '', ...names.map(each => (Object.hasOwn(has, each) ? has[each]! : ''))]
  }
  return toCsvText(rows())
}

const refuse = (errors: FieldFault[]): ServiceError =>
  new ServiceError(
    'invalid_request',
    errors
      .slice(0, 5)
      .map(({ path, message }) => `${path} ${message}`)
      .join('; '),
    { errors: errors.slice(0, 100) }
  )

function columnFaults(columns: readonly string[]): FieldFault[] {
  const faults: FieldFault[] = []
  if (!columns.includes('phone')) faults.push({ path: '/0', message: 'must be a header row with a column phone' })
  // before anything is done for each of them
  if (columns.length > longest.columns)
    return [{ path: '/0', message: `must not have more than ${longest.columns} columns` }]
  for (const [i, column] of columns.entries()) {
    if (column === '' || column.length > longest.column)
      faults.push({ path: `/0/${i}`, message: `must be a name of 1 to ${longest.column} characters` })
    else if (columns.indexOf(column) !== i) faults.push({ path: `/0/${i}`, message: `repeats the column ${column}` })
    if (column.includes('\0')) faults.push({ path: `/0/${i}`, message: 'must not hold NUL' })
  }
  return faults
}

/**
 * Reads a table. Every row is checked before any is given back: a fault names its row (1 is the first below the header)
 * and its column. An empty cell says nothing.
 */
export async function fromCsv(bytes: Buffer): Promise<Line[]> {
  if (!isUtf8(bytes)) throw invalid('/', 'must be UTF-8')
  const parser = parse(bytes, {
    bom: true,
    skip_empty_lines: true,
    max_record_size: 256 * 1024,
    // Said, and not guessed from the first line end that comes, which may stand in a cell.
    record_delimiter: ['\r\n', '\n']
  })
  let columns: string[] | undefined
  const lines: Line[] = []
  const faults: FieldFault[] = []
  const rowOf = new Map<string, number>()
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      const cells = record.map(unmarked)
      if (!columns) {
        columns = cells.map(cell => (/^\s*(phone|name)\s*$/.test(cell) ? cell.trim() : cell))
        const wrong = columnFaults(columns)
        if (wrong.length > 0) throw refuse(wrong)
        continue
      }
      const row = lines.length + 1
      if (row > MOST_ROWS) throw new ServiceError('payload_too_large', `The table has more than ${MOST_ROWS} rows.`)
      lines.push(read(columns, cells, row, rowOf, faults))
      if (faults.length >= 100) break
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // The parser is ahead of the loop: it alone knows which row it was at, the header being row 0.
    const { records: row = 0 } = error as { records?: number }
    const uneven = error.code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH'
    throw invalid(
      `/${row}`,
      uneven
        ? 'has another number of cells than the header'
        : 'is no CSV: a quote is not closed, or stands in a wrong place'
    )
  }
  if (!columns) throw invalid('/0', 'must be a header row with a column phone')
  if (faults.length > 0) throw refuse(faults)
  return lines
}

function read(
  columns: readonly string[],
  cells: readonly string[],
  row: number,
  rowOf: Map<string, number>,
  faults: FieldFault[]
): Line {
  const line: Line = { phone: '', attributes: {} }
  const attributes: [string, string][] = []
  for (const [i, column] of columns.entries()) {
    const cell = cells[i] ?? ''
    const fault = (message: string) => faults.push({ path: `/${row}/${column}`, message })
    if (cell.includes('\0')) fault('must not hold NUL')
    if (column === 'phone') {
      const { value: phone, fault: wrong } = readPerson(cell)
      if (phone === undefined) fault(wrong)
      else if (rowOf.has(phone)) fault(`repeats the number of row ${rowOf.get(phone)}`)
      else rowOf.set(phone, row)
      line.phone = phone ?? ''
    } else if (column === 'name') {
      if (cell.length > longest.name) fault(`must not have more than ${longest.name} characters`)
      if (cell.trim() !== '') line.name = cell
    } else if (cell !== '') {
      if (cell.length > longest.value) fault(`must not have more than ${longest.value} characters`)
      attributes.push([column, cell])
    }
  }
  return { ...line, attributes: Object.fromEntries(attributes) }
}
