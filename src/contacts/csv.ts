import type { Readable } from 'node:stream'
import type { Contact } from '../../schemas/contacts.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import { ServiceError } from '../errors.ts'
import { readPerson } from '../phone.ts'
import { readTable, type TableRow } from '../tables/read.ts'
import { toCsvText } from '../tables/write.ts'

// Contacts as a table: a column `phone`, a column `name`, and one for each attribute.

export const MOST_ROWS = 10_000
/** As in a JSON body (schemas/contacts.ts). */
const longest = { name: 256, value: 1024 }
const mostFaults = 100

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
    { errors: errors.slice(0, mostFaults) }
  )

/**
 * Reads a table. Every row is checked before any is given back: a fault names its row (1 is the first below the header)
 * and its column. An empty cell says nothing.
 * @param charset the encoding as the sender says it
 */
export async function fromCsv(bytes: Buffer, charset?: string): Promise<Line[]> {
  const options = { path: '', own: ['phone', 'name'], mostRows: MOST_ROWS, charset, exact: true }
  const lines: Line[] = []
  const faults: FieldFault[] = []
  const rowOf = new Map<string, number>()
  for await (const some of readTable({ bytes }, options)) {
    for (const row of some) if (faults.length < mostFaults) lines.push(read(row, rowOf, faults))
    if (faults.length >= mostFaults) break
  }
  if (faults.length > 0) throw refuse(faults)
  return lines
}

function read({ row, cells, faults: wrong }: TableRow, rowOf: Map<string, number>, faults: FieldFault[]): Line {
  const line: Line = { phone: '', attributes: {} }
  const attributes: [string, string][] = []
  const fault = (column: string, message: string) => faults.push({ path: `/${row}/${column}`, message })
  for (const { column, message } of wrong)
    faults.push({ path: column === undefined ? `/${row}` : `/${row}/${column}`, message })
  if (wrong.length > 0) return line
  for (const [column, cell] of Object.entries(cells)) {
    if (cell.includes('\0')) fault(column, 'must not hold NUL')
    if (column === 'phone') {
      const { value: phone, fault: misread } = readPerson(cell)
      if (phone === undefined) fault(column, misread)
      else if (rowOf.has(phone)) fault(column, `repeats the number of row ${rowOf.get(phone)}`)
      else rowOf.set(phone, row)
      line.phone = phone ?? ''
    } else if (column === 'name') {
      if (cell.length > longest.name) fault(column, `must not have more than ${longest.name} characters`)
      if (cell.trim() !== '') line.name = cell
    } else if (cell !== '') {
      if (cell.length > longest.value) fault(column, `must not have more than ${longest.value} characters`)
      attributes.push([column, cell])
    }
  }
  return { ...line, attributes: Object.fromEntries(attributes) }
}
