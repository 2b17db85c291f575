// Numbers of a workbook as they are read: a cell holds a value, and its style says what people see of it.

/** Why a value is not taken: a sentence that follows the name of the cell. */
export interface Fault {
  fault: string
}
/** The code of a number format, such as `0.00`. */
export type CellFormat = string

/** The formats that have a number and no code in the file, of those that are not told apart below (ECMA-376, 18.8.30). */
const builtIn: Readonly<Record<number, CellFormat>> = { 0: 'General', 1: '0', 49: '@' }
const dates = [14, 15, 16, 17, 18, 19, 20, 21, 22, 27, 30, 36, 45, 46, 47, 50, 57]
const nameOf = (id: number): CellFormat => builtIn[id] ?? (dates.includes(id) ? 'd' : `format ${id}`)

type Attributes = Readonly<Record<string, string>>
const mostStyles = 65_000

/**
 * The number format of each cell style, in their order.
 * @param read reads the part of the styles
 */
export async function formatsOf(
  read: (handlers: {
    open: (name: string, attributes: Attributes) => void
    close: (name: string) => void
  }) => Promise<void>
): Promise<CellFormat[]> {
  const codes = new Map<number, CellFormat>()
  const formats: CellFormat[] = []
  let within = false
  await read({
    open: (name, { numFmtId, formatCode = '' }) => {
      if (name === 'numFmt') codes.set(Number(numFmtId), formatCode)
      else if (name === 'cellXfs') within = true
      else if (name === 'xf' && within && formats.length < mostStyles) {
        const id = Number(numFmtId ?? 0)
        formats.push(codes.get(id) ?? nameOf(id))
      }
    },
    close: name => {
      if (name === 'cellXfs') within = false
    }
  })
  return formats
}

const isDate = (format: CellFormat): boolean => /[dmyhs]/i.test(format.replace(/"[^"]*"|\\.|\[[^\]]*\]/g, ''))

/** A number as people see it, where there is only one way to show it. */
export function numberText(value: string, format: CellFormat = 'General'): string | Fault {
  const number = Number(value)
  if (!Number.isFinite(number)) return { fault: 'is a number that cannot be read' }
  // As many digits as a spreadsheet keeps: what stands behind them is how computers count, and nobody sees it.
  const text = String(Number(number.toPrecision(15)))
  const exact = !text.includes('e')
  if (/^(general|@)$/i.test(format) && exact) return text
  const whole = exact && Number.isInteger(number)
  if (/^[0#]$/.test(format) && whole) return text
  if (/^0+$/.test(format) && whole && number >= 0) return text.padStart(format.length, '0')
  if (/^(?:\\?\+|"\+")[0#]$/.test(format) && whole && number >= 0) return `+${text}`
  return isDate(format)
    ? { fault: 'is a date, which each spreadsheet shows in its own way: keep it as text' }
    : { fault: `is a number that is shown in a format of its own (${format.slice(0, 40)}): keep it as text` }
}
