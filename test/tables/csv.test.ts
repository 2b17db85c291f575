import { Buffer } from 'node:buffer'
import t from 'tap'
import { cellsOf, onDisk, read, refusal, rowsOf } from './read.ts'

const people = [
  { phone: '14155550001', name: 'José', city: 'São Paulo' },
  { phone: '14155550002', name: 'Zoë; “Z”', city: '北京, 😀' }
]
const separated = (by: string): string =>
  [['phone', 'name', 'city'], ...people.map(each => Object.values(each))]
    .map(cells => cells.map(cell => (/[,;\t]/.test(cell) ? `"${cell}"` : cell)).join(by))
    .join('\r\n')
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()

t.test('a table is read however a spreadsheet separates and encodes it', async t => {
  const text = separated(';')
  const tables: [string, string | Buffer][] = [
    ['commas', separated(',')],
    ['semicolons', text],
    ['tabs', separated('\t')],
    ['a line sep=', `sep=;\r\n${text}`],
    ['a quoted line sep=', `"sep=;"\n${text}`],
    ['bars, said by sep=', `sep=|\r\n${separated('|')}`],
    ['a byte order mark', `\ufeff${text}`],
    ['a byte order mark before sep=', `\ufeffsep=;\r\n${text}`],
    ['UTF-16 as Excel’s Unicode text', Buffer.from(`\ufeff${separated('\t')}`, 'utf16le')],
    ['UTF-16, the other way round', utf16be(`\ufeff${text}`)],
    ['UTF-16 without a mark', Buffer.from(text, 'utf16le')],
    ['UTF-16 without a mark, the other way round', utf16be(text)],
    ['line ends of old Macs', text.replaceAll('\r\n', '\r')],
    ['line ends of Unix', text.replaceAll('\r\n', '\n')],
    ['Phone', text.replace('phone', 'Phone')],
    ['PHONE in spaces', text.replace('phone', ' PHONE ')],
    ['empty last columns', text.replaceAll('\r\n', ';;;\r\n')],
    ['an empty first row', `;;;\r\n\r\n${text}`],
    ['an apostrophe before the number', text.replaceAll('1415555', "'1415555")],
    ['an apostrophe and a plus', text.replaceAll('1415555', "'+1415555").replaceAll('+', '')],
    ['text as a formula', text.replaceAll(/1415555\d+/g, '"=""$&"""')]
  ]
  for (const [name, table] of tables) t.strictSame(await cellsOf(table), people, name)
  for (const cut of [1, 3, 64 * 1024 - 1]) {
    const long = `phone;name\n${'1415;Zoë\n'.repeat(20_000)}`.slice(0, -cut)
    t.strictSame(await rowsOf(onDisk(t, long)), await read(long), 'a file is read as the bytes are')
  }
})

t.test('an encoding without a mark is taken where its sender names it, and never guessed', async t => {
  const latin = Buffer.from('phone,name\r\n14155550001,Jos\xe9 \x80\r\n', 'latin1')
  t.match(await refusal(latin), /^\/file is not UTF-8 \(the byte E9 does not fit\).*windows-1252/)
  for (const charset of ['windows-1252', 'iso-8859-1', 'Latin1'])
    t.strictSame(await cellsOf(latin, { charset }), [{ phone: '14155550001', name: 'José €' }], charset)
  t.strictSame((await cellsOf(latin, { charset: 'windows-1251' }))[0]!.name, 'Josй Ђ', 'CONTROL: which is why')
  t.strictSame((await cellsOf('\ufeffphone,name\n1,José', { charset: 'latin1' }))[0]!.name, 'José', 'a mark overrules')
  t.match(await refusal(latin, { charset: 'shift_jis' }), /is not in the encoding/)
  t.match(await refusal(Buffer.from([0xff, 0xfe, 0, 0, 0x70, 0, 0, 0])), /UTF-32/)
  t.match(await refusal(Buffer.concat([Buffer.from('phone\n1'), Buffer.from([0xe4])])), /breaks off within a character/)
})

t.test('what is no such table is named for what it is', async t => {
  const tables: [string | Buffer, RegExp][] = [
    ['', /^\/file\/0 is missing: a table begins with a header row/],
    ['\n\n', /is missing/],
    ['Telefon;Name\n1415;x', /^\/file\/0 has no column phone, only “Telefon”, “Name”: call the one/],
    ['+14155550001,Ada\n+14155550002,Eve', /holds a telephone number: put a header row above it/],
    ['phone;phone,phone\n1', /can be read with commas and with semicolons: begin the table with a line sep=/],
    ['sep=:\nphone:name\n1:2', /names a separator in sep=/],
    ['phone,phone\n1,2', /repeats the column phone/],
    ['Phone,PHONE\n1,2', /repeats the column phone/],
    ['phone,,name\n1,2,3', /^\/file\/0\/1 must be the name of a column/],
    [`phone,${'x,'.repeat(200)}y\n1`, /more than 102 columns/],
    ['"phone,name\n1,2\n', /^\/file\/0 is badly quoted/],
    ['[{"phone":"1415"}]', /is JSON/],
    ['<html><table><tr><td>phone', /is HTML or XML/],
    ['<?xml version="1.0"?><Workbook/>', /is HTML or XML/],
    ['%PDF-1.7', /is a PDF/],
    [Buffer.from('d0cf11e0a1b11ae1', 'hex'), /old Excel file \(\.xls\), or one that is protected by a password/],
    [Buffer.from('1f8b0800', 'hex'), /is a compressed file/]
  ]
  for (const [table, message] of tables)
    t.match(await refusal(table), message, JSON.stringify(String(table).slice(0, 40)))
  for (const [table] of tables) t.notMatch(await refusal(table), /must be a header row with a column phone/)
  t.match(await refusal('phone\n1\n2\n3', { mostRows: 2 }), /payload_too_large.*more than 2 rows/)
})

t.test('a column that is named exactly keeps its name, beside one in other letters', async t => {
  t.strictSame(await cellsOf('phone,Phone,REFERENCE\n1,2,3'), [{ phone: '1', Phone: '2', reference: '3' }])
  t.strictSame(await cellsOf('phone, a \n1,x'), [{ phone: '1', a: 'x' }])
  t.strictSame(await cellsOf('phone, a \n1,x', { exact: true }), [{ phone: '1', ' a ': 'x' }])
  t.strictSame(await cellsOf('phone,__proto__\n1,x'), [JSON.parse('{"phone":"1","__proto__":"x"}')])
})

t.test('a row that cannot be read is one line, and the rows around it are read', async t => {
  const bad = ['14155550002,"Ada', '14155550002,A"d"a', '14155550002,"Ada"x', '"14155550002,Ada', '14155550002,Ada"']
  for (const line of bad) {
    const rows = await read(`phone,name\r\n14155550001,A\r\n${line}\r\n14155550003,"B"\r\n14155550004,D\r\n`)
    t.strictSame(
      rows.map(({ row, cells, faults }) => [row, cells.phone, faults.length]),
      [
        [1, '14155550001', 0],
        [2, '', 1],
        [3, '14155550003', 0],
        [4, '14155550004', 0]
      ],
      line
    )
    t.match(rows[1]!.faults, [{ message: /badly quoted/ }])
  }
  const last = await read('phone,name\n14155550001,A\n14155550002,"Ada\n')
  t.match(last, [
    { row: 1, faults: { length: 0 } },
    { row: 2, faults: [{ message: /badly quoted/ }] }
  ])
  const long = `phone,name\n14155550001,${'x'.repeat(300_000)}\n14155550002,B\n`
  t.match(await read(long), [{ faults: [{ message: /longer than 262144/ }] }, { cells: { phone: '14155550002' } }])
  const unclosed = await read(`phone,name\n14155550001,"x\n${'14155550002,yyyyy\n'.repeat(20_000)}`)
  t.equal(unclosed.length, 20_001, 'a quote that is never closed takes its own line with it alone')
  t.strictSame(
    unclosed.flatMap(({ row, faults }) => (faults.length > 0 ? [row] : [])),
    [1]
  )
})

t.test('a file of badly quoted rows ends after a hundred of them, in time that its size pays for', async t => {
  const table = `phone,name\n${'1,"a"b\n'.repeat(300_000)}`
  const began = process.cpuUsage().user
  t.match(await refusal(table), /cannot be read, nor 100 rows before it: this is no CSV/)
  const open = `phone,name\n${`1,"${'a'.repeat(2000)}\n`.repeat(10_000)}`
  t.match(await refusal(open), /this is no CSV/)
  t.ok(process.cpuUsage().user - began < 10_000_000)
})

t.test('cells that are missing at the end are empty, and those that are too many are a fault', async t => {
  const rows = await read('phone,name,city\n1\n2,b\n3,c,d,,,\n4,c,d,,e\n,,\n5,x,y')
  t.strictSame(
    rows.map(({ row, cells, faults }) => [row, { ...cells }, faults.map(({ message }) => message)]),
    [
      [1, { phone: '1', name: '', city: '' }, []],
      [2, { phone: '2', name: 'b', city: '' }, []],
      [3, { phone: '3', name: 'c', city: 'd' }, []],
      [4, { phone: '4', name: 'c', city: 'd' }, ['has 5 cells, and the header 3']],
      [6, { phone: '5', name: 'x', city: 'y' }, []]
    ]
  )
})
