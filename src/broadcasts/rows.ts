import type { Recipient } from '../../schemas/broadcasts.ts'
import { inTurns } from '../tables/in-turns.ts'
import { readTable, type TableRow } from '../tables/read.ts'

// Where the recipients come from: the body, or a table on disk. Both are read as often as is needed, from the beginning.

/** A table on disk, and its encoding as the sender says it. */
export interface Table {
  file: string
  charset?: string | undefined
}
export type Source = { recipients: readonly Recipient[] } | Table

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
  /** What cannot be read: a column, or where none is named the whole row. */
  faults?: { column?: string; message: string }[]
}

const mostRows = 100_000

/**
 * The rows, some at a time; never all of them at once.
 * @param header is told the variables that the columns of a table name, before its first row, and throws where they do
 *   not fit
 */
export const rowsOf = (source: Source, header: (variables: string[]) => void): AsyncIterable<readonly Row[]> =>
  'file' in source ? tableRows(source, header) : bodyRows(source.recipients)

async function* bodyRows(recipients: readonly Recipient[]): AsyncGenerator<Row[]> {
  let at = 0
  for await (const some of inTurns([recipients]))
    yield some.map(({ to, variables = {}, reference }) => {
      const path = `/recipients/${at++}`
      const given = reference !== undefined && { reference }
      return { path, toName: 'to', variablesPath: `${path}/variables`, to, variables, ...given }
    })
}

const isVariable = (column: string): boolean => column !== 'phone' && column !== 'reference'

/** Row 1 is the first below the header. */
async function* tableRows(source: Table, header: (variables: string[]) => void): AsyncGenerator<Row[]> {
  const rows = readTable(source, {
    path: '/file',
    own: ['phone', 'reference'],
    mostRows,
    charset: source.charset,
    header: columns => header(columns.filter(isVariable))
  })
  for await (const some of rows) yield some.map(tableRow)
}

function tableRow({ row, cells, faults }: TableRow): Row {
  const path = `/file/${row}`
  const { phone = '', reference = '', ...variables } = cells
  const given = reference.trim() === '' ? {} : { reference: reference.trim() }
  const wrong = faults.length > 0 && { faults }
  return { path, toName: 'phone', variablesPath: path, to: phone, variables, ...given, ...wrong }
}
