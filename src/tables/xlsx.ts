import { invalid } from '../errors.ts'
import type { RawRow } from './raw.ts'
import { type CellFormat, type Fault, formatsOf, numberText } from './xlsx-numbers.ts'
import {
  damaged,
  openWorkbook,
  plain,
  readPart,
  readWhole,
  relationsOf,
  tooLarge,
  type Workbook
} from './xlsx-parts.ts'

// The sheet of an .xlsx (ECMA-376). What a cell shows is taken where that is certain: text, and numbers in a plain format.

const mb = 1024 * 1024
/** Unpacked bytes. Text that cells share is held in memory. */
const largest = { part: 8 * mb, strings: 24 * mb, sheet: 192 * mb }
const most = { strings: 400_000, sheets: 50, cell: 32_768, cells: 256 }

/** Excel writes what XML cannot hold as _x000D_. */
const unescaped = (text: string): string =>
  text.includes('_x')
    ? text.replace(/_x([0-9A-F]{4})_/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text

async function stringsOf(book: Workbook, part: string | undefined): Promise<string[]> {
  const strings: string[] = []
  if (part === undefined) return strings
  let text = ''
  let taken = false
  let spoken = 0
  await readWhole(book, part, largest.strings, {
    open: name => {
      if (name === 'si') text = ''
      // How it is spoken is written beside it, and is not part of it.
      else if (name === 'rPh') spoken++
      else taken = name === 't' && spoken === 0
    },
    text: more => {
      if (taken) text += more
    },
    close: name => {
      taken = false
      if (name === 'rPh') spoken--
      if (name !== 'si') return
      if (strings.push(unescaped(text)) > most.strings) throw tooLarge()
    }
  })
  return strings
}

/** `C5` as a place in the row, from 0. */
function columnOf(place: string): number {
  let column = 0
  for (const letter of place) {
    const code = letter.charCodeAt(0) - 64
    if (code < 1 || code > 26) break
    column = column * 26 + code
  }
  return column - 1
}

interface Sheet {
  name: string
  part: string
}
interface Styles {
  strings: string[]
  formats: readonly CellFormat[]
}

/** What a cell shows, or why nobody but the spreadsheet can say. */
function shown(
  type: string,
  style: number,
  value: string,
  formula: boolean,
  { strings, formats }: Styles
): string | Fault {
  if (type === 'inlineStr') return unescaped(value)
  if (value === '')
    return formula ? { fault: 'is a formula without a result: open the file, save it, and give it again' } : ''
  if (type === 's') return strings[Number(value)] ?? { fault: 'is text that the workbook does not hold' }
  if (type === 'str') return unescaped(value)
  if (type === 'e') return { fault: `is an error of the spreadsheet (${value.slice(0, 20)})` }
  if (type === 'b') return { fault: 'is TRUE or FALSE, which each language writes in its own way: keep it as text' }
  if (type === 'd') return { fault: 'is a date, which each spreadsheet shows in its own way: keep it as text' }
  return numberText(value, formats[style])
}

/** The rows of one sheet, some at a time; those that it leaves out are empty. */
async function* rowsOf(book: Workbook, { part }: Sheet, styles: Styles): AsyncGenerator<RawRow[]> {
  let ready: RawRow[] = []
  let row: RawRow = { at: -1, cells: [] }
  let column = -1
  let cell = { type: '', style: 0, value: '', formula: false }
  let taken = false
  let spoken = 0
  const wrong = (message: string, at?: number) => {
    row.wrong ??= []
    if (row.wrong.length < 100) row.wrong.push(at === undefined ? { message } : { cell: at, message })
  }
  const put = () => {
    const { type, style, value, formula } = cell
    const text = shown(type, style, value, formula, styles)
    if (text === '') return
    if (column >= most.cells) return wrong(`has more than ${most.cells} cells`)
    while (row.cells.length < column) row.cells.push('')
    row.cells[column] = typeof text === 'string' ? text : ''
    if (typeof text !== 'string') wrong(text.fault, column)
    else if (text.length > most.cell) wrong(`must not have more than ${most.cell} characters`, column)
  }
  const reading = readPart(book, part, largest.sheet, {
    open: (name, { r, t = '', s, hidden }) => {
      if (name === 'row') {
        row = { at: r === undefined ? row.at + 1 : Number(r) - 1, cells: [] }
        column = -1
        if (hidden === '1' || hidden === 'true')
          wrong('is hidden in the sheet, by a filter perhaps: show it, or delete it')
      } else if (name === 'c') {
        column = r === undefined ? column + 1 : columnOf(r)
        cell = { type: t, style: Number(s ?? 0), value: '', formula: false }
      } else if (name === 'f') cell.formula = true
      else if (name === 'rPh') spoken++
      taken = name === 'v' || (name === 't' && spoken === 0)
    },
    text: more => {
      if (taken && cell.value.length <= most.cell) cell.value += more
    },
    close: name => {
      taken = false
      if (name === 'rPh') spoken--
      else if (name === 'c') put()
      else if (name === 'row' && (row.cells.length > 0 || row.wrong)) ready.push(row)
    }
  })
  for await (const _ of reading) {
    const some = ready
    ready = []
    if (some.length > 0) yield some
  }
  yield ready
}

/** The visible sheet whose header has the columns that it must have; where none has, the first. Two are not chosen between. */
async function sheetOf(
  book: Workbook,
  sheets: Sheet[],
  styles: Styles,
  isHeader: (cells: string[]) => boolean
): Promise<Sheet> {
  if (sheets.length === 1) return sheets[0]!
  const fits: Sheet[] = []
  for (const sheet of sheets)
    for await (const some of rowsOf(book, sheet, styles)) {
      const first = some.find(({ cells }) => cells.some(cell => cell.trim() !== ''))
      if (!first) continue
      if (isHeader(first.cells)) fits.push(sheet)
      break
    }
  if (fits.length < 2) return fits[0] ?? sheets[0]!
  const names = fits.slice(0, 5).map(({ name }) => `“${name.slice(0, 40)}”`)
  throw invalid(book.path, `has several sheets with a column phone (${names.join(', ')}): keep the one that is meant`)
}

/**
 * The rows of the sheet of a workbook that has the right columns, some at a time.
 * @param isHeader whether a row has the columns that it must have
 */
export async function* sheetRows(
  source: { file: string } | { bytes: Buffer },
  isHeader: (cells: string[]) => boolean,
  path: string
): AsyncGenerator<RawRow[]> {
  const book = await openWorkbook(source, path)
  try {
    const main = (await relationsOf(book, '')).get('officeDocument')
    if (main === undefined || !book.parts.has(main)) throw invalid(path, 'is a document and no workbook of sheets')
    const relations = await relationsOf(book, main)
    const sheets: Sheet[] = []
    await readWhole(book, main, largest.part, {
      open: (name, { name: title = '', state = 'visible', 'r:id': id = '', ...more }) => {
        const relation = id || Object.entries(more).find(([key]) => plain(key) === 'id')?.[1]
        const part = relations.get(relation ?? '')
        if (name === 'sheet' && state === 'visible' && part !== undefined) sheets.push({ name: title, part })
      }
    })
    if (sheets.length === 0 || sheets.length > most.sheets)
      throw invalid(path, `must have a sheet that can be seen, and at most ${most.sheets}`)
    const styles = {
      strings: await stringsOf(book, relations.get('sharedStrings')),
      formats: await formatsOf(handlers => readWhole(book, relations.get('styles') ?? '', largest.part, handlers))
    }
    yield* rowsOf(book, await sheetOf(book, sheets, styles, isHeader), styles)
  } catch (error) {
    damaged(path, error)
  } finally {
    book.zip.close()
  }
}
