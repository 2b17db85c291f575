import { Buffer } from 'node:buffer'
import t from 'tap'
import { cellsOf, onDisk, read, refusal, rowsOf } from './read.ts'
import { type Cell, parts, workbook, zip } from './workbook.ts'

const xml = (text: string): Cell => ({ xml: text })

t.test('a workbook is read as its people see it', async t => {
  const book = workbook([
    ['Phone', 'name', 'city', 'note'],
    ['+1 415 555 0001', 'José & Zoë <x>', '北京 😀', 'a\nb'],
    [14155550002, 'Ada', 12.5, ''],
    [
      xml('<c r="A4"><v>4.91701234567E+11</v></c>'),
      xml('<c r="B4" t="inlineStr"><is><r><t>In</t></r><r><t>line</t></r></is></c>')
    ],
    [
      xml('<c r="A5" t="str"><f>"1415"&amp;"5550003"</f><v>14155550003</v></c>'),
      xml('<c r="D5"><v>0.30000000000000004</v></c>')
    ],
    [],
    ["'14155550004", 'x_x000D_y', '=1+1']
  ])
  const expected = [
    { phone: '+1 415 555 0001', name: 'José & Zoë <x>', city: '北京 😀', note: 'a\nb' },
    { phone: '14155550002', name: 'Ada', city: '12.5', note: '' },
    { phone: '491701234567', name: 'Inline', city: '', note: '' },
    { phone: '14155550003', name: '', city: '', note: '0.3' },
    { phone: '14155550004', name: 'x\ry', city: '=1+1', note: '' }
  ]
  t.strictSame(await cellsOf(book), expected)
  t.strictSame(
    (await read(book)).map(({ row, faults }) => [row, faults.length]),
    [1, 2, 3, 4, 6].map(row => [row, 0])
  )
  t.strictSame(await rowsOf(onDisk(t, book)), await read(book), 'a file is read as the bytes are')
})

t.test('a number is taken where its format is plain, and named where nobody else can show it', async t => {
  const formats = ['0', '0000000000000', '\\+0', '"+"0', '(###) ###-####', '#,##0', '0.00', 'dd/mm/yyyy', '[$-409]mmmm']
  const styled = (row: number, style: number, value: string) => xml(`<c r="A${row}" s="${style}"><v>${value}</v></c>`)
  const values = [
    ['14155550001', '14155550001'],
    ['1701234567', '0001701234567'],
    ['14155550001', '+14155550001'],
    ['14155550001', '+14155550001'],
    ['4155550001', /format of its own/],
    ['14155550001', /format of its own/],
    ['14155550001', /format of its own/],
    ['45678', /is a date/],
    ['45678', /is a date/]
  ] as const
  const rows = await read(workbook([['phone'], ...values.map(([value], i) => [styled(i + 2, i + 1, value)])], formats))
  for (const [i, [, wanted]] of values.entries()) {
    const { cells, faults } = rows[i]!
    if (typeof wanted === 'string') t.strictSame([cells.phone, faults], [wanted, []], formats[i]!)
    else t.match(faults, [{ column: 'phone', message: wanted }], formats[i]!)
  }
  const others: [string, RegExp][] = [
    ['<c r="A2" t="b"><v>1</v></c>', /TRUE or FALSE/],
    ['<c r="A2" t="e"><v>#N/A</v></c>', /error of the spreadsheet \(#N\/A\)/],
    ['<c r="A2" t="d"><v>2024-05-14</v></c>', /is a date/],
    ['<c r="A2"><f>A1</f></c>', /formula without a result/],
    ['<c r="A2" t="s"><v>99</v></c>', /does not hold/],
    ['<c r="A2"><v>1e300</v></c>', /format of its own/]
  ]
  for (const [cell, message] of others)
    t.match((await read(workbook([['phone'], [xml(cell)]])))[0]!.faults, [{ column: 'phone', message }], cell)
})

t.test('what somebody hid is not sent to, and of several sheets none is chosen', async t => {
  const hidden = parts([
    {
      xml: '<row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2" hidden="1"><c r="A2"><v>1</v></c></row><row r="3"><c r="A3"><v>2</v></c></row>'
    }
  ])
  t.match(await read(zip(hidden)), [
    { row: 1, faults: [{ message: /is hidden/ }] },
    { row: 2, faults: { length: 0 } }
  ])
  const list = { rows: [['phone'], ['14155550001']] }
  const notes = { name: 'Notes', rows: [['remember'], ['the milk']] }
  const phones = [{ phone: '14155550001' }]
  t.strictSame(await cellsOf(zip(parts([{ name: 'Empty' }, notes, list]))), phones, 'the one with a column phone')
  t.strictSame(await cellsOf(zip(parts([list, { ...list, name: 'Old', state: 'hidden' }]))), phones)
  t.match(
    await refusal(
      zip(
        parts([
          { ...list, name: 'May' },
          { ...list, name: 'June' }
        ])
      )
    ),
    /several sheets with a column phone \(“May”, “June”\)/
  )
  t.match(await refusal(zip(parts([notes, { ...notes, name: 'More' }]))), /has no column phone, only “remember”/)
})

t.test('prefixes, missing places and parts elsewhere are read as Excel reads them', async t => {
  const plain = parts([
    {
      rows: [
        ['phone', 'name'],
        ['14155550001', 'Ada']
      ]
    }
  ])
  const prefixed = { ...plain }
  for (const part of ['xl/worksheets/sheet1.xml', 'xl/sharedStrings.xml', 'xl/workbook.xml'])
    prefixed[part] = plain[part]!.replaceAll(/<(\/?)(?!\?)/g, '<$1x:')
  const placeless = { ...plain }
  placeless['xl/worksheets/sheet1.xml'] = plain['xl/worksheets/sheet1.xml']!.replaceAll(/ r="\w+"/g, '')
  for (const book of [plain, prefixed, placeless])
    t.strictSame(await cellsOf(zip(book)), [{ phone: '14155550001', name: 'Ada' }])
  const spoken = { ...plain }
  spoken['xl/sharedStrings.xml'] = plain['xl/sharedStrings.xml']!.replace(
    'Ada</t>',
    'Ada</t><rPh sb="0" eb="1"><t>ah-da</t></rPh>'
  )
  t.strictSame((await cellsOf(zip(spoken)))[0]!.name, 'Ada', 'how it is spoken is no part of it')
})

t.test('what is no workbook, or no whole one, is named', async t => {
  const good = workbook([['phone'], ['1']])
  t.match(await refusal(zip({ 'a.txt': 'x' })), /archive and no workbook/)
  t.match(await refusal(zip({ mimetype: 'x', 'content.xml': 'x' })), /OpenDocument file \(\.ods\)/)
  t.match(await refusal(zip({ 'xl/workbook.bin': 'x' })), /binary workbook \(\.xlsb\)/)
  t.match(await refusal(good.subarray(0, good.length - 30)), /damaged/)
  t.match(await refusal(good.subarray(0, 200)), /damaged/)
  const broken = parts([{ rows: [['phone']] }])
  t.match(await refusal(zip({ ...broken, 'xl/worksheets/sheet1.xml': '<worksheet><row>' })), /damaged/)
  t.match(await refusal(zip({ ...broken, 'xl/workbook.xml': '<workbook/>' })), /must have a sheet that can be seen/)
  const entities =
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet><sheetData><row><c t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>'
  t.match(await refusal(zip({ ...broken, 'xl/worksheets/sheet1.xml': entities })), /damaged/, 'no entities')
  t.match(await refusal(zip(parts([{}]))), /header row/)
})

t.test('a bomb is refused before it goes off', async t => {
  const book = parts([{ rows: [['phone']] }])
  const sheet = 'xl/worksheets/sheet1.xml'
  const bomb = Buffer.alloc(100 * 1024 * 1024, ' ')
  const packed = zip({ ...book, [sheet]: bomb })
  t.ok(packed.length < 200_000, `CONTROL: ${packed.length} bytes unpack to ${bomb.length}`)
  t.match(await refusal(packed), /payload_too_large.*unpacks to more/)
  t.match(await refusal(zip({ ...book, 'xl/sharedStrings.xml': bomb })), /payload_too_large/)
  t.match(await refusal(zip({ ...book, [sheet]: bomb }, { [sheet]: 1000 })), /damaged/, 'however small it says it is')
  const many = Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`${i}`, '']))
  t.match(await refusal(zip(many)), /payload_too_large/)
  const far = parts([
    { xml: '<row r="1"><c r="A1" t="str"><v>phone</v></c></row><row r="2"><c r="ZZZZZZ2"><v>1</v></c></row>' }
  ])
  t.match((await read(zip(far)))[0]!.faults, [{ message: /more than 256 cells/ }])
})
