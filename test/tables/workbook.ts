import { crc32, deflateRawSync } from 'node:zlib'

// Workbooks as Excel and others write them, made by hand: each test says what stands in the parts.

/** An archive (PKWARE APPNOTE 4.3) of these files, deflated. `declared` lies about a file's unpacked size. */
export function zip(files: Record<string, string | Buffer>, declared: Record<string, number> = {}): Buffer {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    const packed = deflateRawSync(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x800, 2)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(declared[name] ?? bytes.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    bodies.push(Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), packed)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, Buffer.from(name))
    offset += 30 + Buffer.byteLength(name) + packed.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(Object.keys(files).length, 8)
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...bodies, listed, end])
}

/** A cell: text, a number, or XML of its own. */
export type Cell = string | number | { xml: string }
export interface Sheet {
  name?: string
  state?: string
  /** Rows by their number, or in their order. */
  rows?: Cell[][]
  xml?: string
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const letter = (i: number): string => String.fromCharCode(65 + i)
const type = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const relations = (list: string[][]): string =>
  `<?xml version="1.0"?><Relationships xmlns="x">${list.map(([id, kind, target]) => `<Relationship Id="${id}" Type="${type}/${kind}" Target="${target}"/>`).join('')}</Relationships>`

/** A row as Excel writes it: text is shared, numbers stand in the cell. */
export const rowXml = (cells: Cell[], r: number, strings: string[]): string =>
  `<row r="${r}">${cells
    .map((cell, i) => {
      if (typeof cell === 'object') return cell.xml
      if (typeof cell === 'number') return `<c r="${letter(i)}${r}"><v>${cell}</v></c>`
      if (cell === '') return ''
      return `<c r="${letter(i)}${r}" t="s"><v>${strings.push(`<si><t xml:space="preserve">${escaped(cell)}</t></si>`) - 1}</v></c>`
    })
    .join('')}</row>`

/** The parts of a workbook, to be zipped. */
export function parts(sheets: Sheet[], formats: string[] = []): Record<string, string> {
  const strings: string[] = []
  const written = sheets.map(({ rows = [], xml }) => {
    const body = xml ?? rows.map((cells, i) => rowXml(cells, i + 1, strings)).join('')
    return `<?xml version="1.0"?><worksheet xmlns="x"><sheetData>${body}</sheetData></worksheet>`
  })
  const codes = formats.map(
    (code, i) => `<numFmt numFmtId="${164 + i}" formatCode="${escaped(code).replaceAll('"', '&quot;')}"/>`
  )
  const styles = ['<xf numFmtId="0"/>', ...formats.map((_, i) => `<xf numFmtId="${164 + i}"/>`)]
  return {
    '_rels/.rels': relations([['rId1', 'officeDocument', 'xl/workbook.xml']]),
    'xl/workbook.xml': `<?xml version="1.0"?><workbook xmlns="x" xmlns:r="${type}"><sheets>${sheets
      .map(
        ({ name = 'Sheet', state }, i) =>
          `<sheet name="${name}" sheetId="${i}"${state ? ` state="${state}"` : ''} r:id="rId${i + 1}"/>`
      )
      .join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relations([
      ...sheets.map((_, i) => [`rId${i + 1}`, 'worksheet', `worksheets/sheet${i + 1}.xml`]),
      ['rIdS', 'sharedStrings', 'sharedStrings.xml'],
      ['rIdF', 'styles', '/xl/styles.xml']
    ]),
    ...Object.fromEntries(written.map((xml, i) => [`xl/worksheets/sheet${i + 1}.xml`, xml])),
    'xl/sharedStrings.xml': `<?xml version="1.0"?><sst xmlns="x">${strings.join('')}</sst>`,
    'xl/styles.xml': `<?xml version="1.0"?><styleSheet xmlns="x"><numFmts>${codes.join('')}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${styles.join('')}</cellXfs></styleSheet>`
  }
}

export const workbook = (rows: Cell[][], formats: string[] = []): Buffer => zip(parts([{ rows }], formats))
