import { CsvError, type Info, Parser } from 'csv-parse'
import { parse } from 'csv-parse/sync'
import { invalid } from '../errors.ts'
import type { RawRow } from './raw.ts'

// CSV in the dialects that spreadsheets write. csv-parse reads it; a row that it cannot read is told of, and read past.

/** A row may be so long: the longest value there can be, several times. */
const longestRow = 256 * 1024
/** What the separator is found in: the longest header there can be. */
const headSize = 64 * 1024
/** Each is read past by reading what it swallowed again, which must not go on for ever (docs/reliability.md P49). */
const mostBroken = 100
const separators = [',', ';', '\t']
const names: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' }

interface Dialect {
  delimiter: string
  ends: string[]
  /** Bytes before the first row. */
  skip: number
}

const badlyQuoted = 'is badly quoted: a quote is not closed, or stands in a wrong place'

/** The first row with anything in it, or nothing where that cannot be read. */
function firstRow(head: Buffer, delimiter: string, ends: string[]): string[] | undefined {
  let first: string[] | undefined
  const keep = (cells: string[]): null => {
    first ??= cells.some(cell => cell.trim() !== '') ? cells : undefined
    return null
  }
  try {
    parse(head, {
      delimiter,
      record_delimiter: ends,
      relax_column_count: true,
      to: 20,
      max_record_size: headSize,
      on_record: keep
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
  }
  return first
}

/** How the table is separated: as it says itself, or the one way in which its header has the columns that it must have. */
function dialectOf(head: Buffer, isHeader: (cells: string[]) => boolean, path: string): Dialect {
  const ends = head.includes('\n') ? ['\r\n', '\n'] : ['\r']
  const [line, told] = /^"?sep=(.)"?(?:\r?\n|\r)/i.exec(head.subarray(0, 16).toString('latin1')) ?? []
  if (line !== undefined) {
    if (!Object.hasOwn(names, told!)) throw invalid(`${path}/0`, 'names a separator in sep= that is not , ; | or a tab')
    return { delimiter: told!, ends, skip: line.length }
  }
  const read = separators.flatMap(delimiter => {
    const cells = firstRow(head, delimiter, ends)
    return cells ? [{ delimiter, cells }] : []
  })
  if (read.length === 0) {
    if (head.toString().trim() === '')
      throw invalid(`${path}/0`, 'is missing: a table begins with a header row, one column of which is phone')
    throw invalid(`${path}/0`, head.length < headSize ? badlyQuoted : `is longer than ${headSize} bytes`)
  }
  const fits = read.filter(({ cells }) => isHeader(cells))
  if (fits.length > 1 && fits.some(({ cells }) => cells.length > 1))
    throw invalid(
      `${path}/0`,
      `can be read with ${fits.map(({ delimiter }) => names[delimiter]).join(' and with ')}: begin the table with a line sep=, or sep=;`
    )
  const widest = read.toSorted((a, b) => b.cells.length - a.cells.length)[0]!
  return { delimiter: (fits[0] ?? widest).delimiter, ends, skip: 0 }
}

/** One parser over part of the table, which tells how far whole rows reach. */
function openParser({ delimiter, ends }: Dialect) {
  let rows: string[][] = []
  let end = 0
  const parser = new Parser({
    delimiter,
    record_delimiter: ends,
    relax_column_count: true,
    max_record_size: longestRow,
    // Synchronously, and not by its stream: of that, rows that were not taken yet are lost with an error.
    on_record: (cells: string[], info: Info) => {
      rows.push(cells)
      // It compares each row with the first one, and makes an error of every other length, though it is told not to mind:
      // a thousand empty lines would take longer than all the rest. For it, each row is the first.
      ;(parser.info as { records: number }).records = 0
      end = (info as Info & { bytes: number }).bytes
      return null
    }
  })
  parser.on('error', () => {})
  parser.resume()
  /** What became of the bytes: the rows that they completed, and what was wrong. */
  return async (bytes: Buffer | undefined): Promise<{ rows: string[][]; end: number; error?: CsvError }> => {
    const error = await new Promise<Error | null | undefined>(done => {
      if (bytes === undefined) parser.end(done)
      else parser.write(bytes, done)
    })
    const taken = { rows, end }
    rows = []
    if (error && !(error instanceof CsvError)) throw error
    return error ? { ...taken, error: error as CsvError } : taken
  }
}

/**
 * The rows of a CSV, some at a time, the header first; a line that is empty counts. A row that cannot be read is one line, told as such:
 * what follows is read as if it were not there.
 * @param bytes in UTF-8
 * @param isHeader whether a row has the columns that it must have
 */
export async function* csvRows(
  bytes: AsyncIterable<Buffer>,
  isHeader: (cells: string[]) => boolean,
  path: string
): AsyncGenerator<RawRow[]> {
  const input = bytes[Symbol.asyncIterator]()
  try {
    const first: Buffer[] = []
    let size = 0
    let next = await input.next()
    for (; !next.done && size < headSize; next = await input.next()) {
      first.push(next.value)
      size += next.value.length
    }
    const head = Buffer.concat(first)
    const dialect = dialectOf(head.subarray(0, headSize), isHeader, path)
    const lineEnd = dialect.ends.at(-1)!
    let at = 0
    let broken = 0
    /** What no whole row was made of yet, and where the parser has it. */
    let rest: Buffer = head.subarray(dialect.skip)
    let base = 0
    let feed = openParser(dialect)
    let fresh: Buffer | undefined = rest
    for (;;) {
      const { rows, end, error } = await feed(fresh)
      if (rows.length > 0) yield rows.map(cells => ({ at: at++, cells }))
      rest = rest.subarray(end - base)
      base = end
      // The parser counts what stands in cells, and not the separators.
      const endless = rest.length > longestRow
      if (error || endless) {
        if (++broken > mostBroken)
          throw invalid(`${path}/${at}`, `cannot be read, nor ${mostBroken} rows before it: this is no CSV`)
        const long = endless || error?.code === 'CSV_MAX_RECORD_SIZE'
        const whole = long ? `is longer than ${longestRow} bytes` : badlyQuoted
        yield [{ at: at++, cells: [], wrong: [{ message: whole }] }]
        let line = rest.indexOf(lineEnd)
        while (line < 0 && !next.done) {
          rest = next.value
          next = await input.next()
          line = rest.indexOf(lineEnd)
        }
        fresh = rest = line < 0 ? Buffer.alloc(0) : rest.subarray(line + 1)
        base = 0
        feed = openParser(dialect)
        if (fresh.length > 0) continue
      }
      if (next.done) {
        if (fresh === undefined) return
        fresh = undefined
        continue
      }
      fresh = next.value
      rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value])
      next = await input.next()
    }
  } finally {
    await input.return?.(undefined)
  }
}
