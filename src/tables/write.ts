import { Readable } from 'node:stream'
import { stringify } from 'csv-stringify'

/**
 * Rows as a table (RFC 4180, UTF-8 with a byte order mark) that no spreadsheet runs anything of (docs/reliability.md T42). The first
 * row is its header.
 */
export function toCsvText(rows: AsyncIterable<readonly string[]>): Readable {
  // The mark: without it Excel reads UTF-8 as the encoding of its country, and shows JosÃ© for José.
  const csv = stringify({ bom: true, record_delimiter: 'windows', escape_formulas: true, quoted_match: /[\r\n]/ })
  const source = Readable.from(rows)
  // A pipe passes no error on: a table that breaks off must not look complete.
  source.on('error', error => csv.destroy(error))
  csv.on('close', () => source.destroy())
  return source.pipe(csv)
}
