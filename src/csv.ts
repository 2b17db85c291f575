import { Readable } from 'node:stream'
import { stringify } from 'csv-stringify'

/** What a spreadsheet would run as a formula (docs/reliability.md T42); written with a ' before it, and read without. */
const formula = /^'(?=[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20])/

/** A cell as it was before we, or a spreadsheet, marked it as text. */
export const unmarked = (cell: string): string => cell.replace(formula, '')

/** Rows as a table (RFC 4180) that no spreadsheet runs anything of; the first row is its header. */
export function toCsvText(rows: AsyncIterable<readonly string[]>): Readable {
  const csv = stringify({ record_delimiter: 'windows', escape_formulas: true, quoted_match: /[\r\n]/ })
  const source = Readable.from(rows)
  // A pipe passes no error on: a table that breaks off must not look complete.
  source.on('error', error => csv.destroy(error))
  csv.on('close', () => source.destroy())
  return source.pipe(csv)
}
