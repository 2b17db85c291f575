import { parse } from 'csv-parse/sync'
import t from 'tap'
import { type Board, startBoard } from '../helper.ts'

const csv = { 'content-type': 'text/csv' }
const put = (board: Board, body: string | Buffer, more: Record<string, string> = {}) =>
  board.call('POST', '/contacts.csv?channel=cloud', { body, headers: { ...csv, ...more } })
const table = (text: string): string[][] => parse(text, { bom: true })

t.test('what is exported can be imported again, and nothing has changed', async t => {
  const board = await startBoard(t)
  const nasty = ['plain', 'with "quotes", commas', 'two\r\nlines', 'ünï 北京 😀', ' spaces ', "O'Hara"]
  for (const [i, value] of nasty.entries())
    await board.call('POST', '/contacts', {
      body: {
        channel: 'cloud',
        phone: `1415555100${i}`,
        name: `Name ${value}`,
        attributes: { [`a${i}`]: value, city: value }
      }
    })
  const out = await board.call('GET', '/contacts.csv?channel=cloud')
  t.match(out.headers['content-type'], /^text\/csv; charset=utf-8/)
  t.match(out.headers['content-disposition'], /attachment/)
  t.ok(
    out.text.startsWith('\ufeffphone,name,a0,a1,a2,a3,a4,a5,city\r\n'),
    'a mark by which Excel knows UTF-8, a header row, CRLF'
  )
  const before = (await board.call('GET', '/contacts?channel=cloud')).body.items
  const back = await put(board, out.text)
  t.strictSame(back.body, { rows: 6, created: 0, updated: 6 })
  const plain = (items: Record<string, unknown>[]) => items.map(({ updatedAt, ...rest }) => rest)
  t.strictSame(plain((await board.call('GET', '/contacts?channel=cloud')).body.items), plain(before))
})

t.test('no cell of an export begins as a formula does, and an import takes the mark off again', async t => {
  const board = await startBoard(t)
  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', "=cmd|' /C calc'!A0", '＝1']
  for (const [i, value] of formulas.entries())
    await board.call('POST', '/contacts', {
      body: { channel: 'cloud', phone: `1415555200${i}`, name: value, attributes: { [value]: value } }
    })
  const out = await board.call('GET', '/contacts.csv?channel=cloud')
  const cells = table(out.text).flat()
  t.equal(cells.filter(cell => /^[=+\-@\t\r\0＝]/.test(cell)).length, 0)
  t.ok(cells.includes("'=1+1"), 'CONTROL: they are there')
  t.match((await put(board, out.text)).body, { rows: 8, created: 0 })
  const { body } = await board.call('GET', '/contacts?channel=cloud')
  t.strictSame(body.items.map(({ name }: { name: string }) => name).sort(), formulas.sort())
  for (const { name, attributes } of body.items) t.strictSame(attributes, { [name]: name })
})

t.test('every row is checked before any is taken; a fault names its row and column', async t => {
  const board = await startBoard(t)
  const tables: [text: string | Buffer, path: RegExp][] = [
    ['', /^\/0$/],
    ['name\r\nAda\r\n', /^\/0$/],
    ['phone,phone\r\n14155551234,1\r\n', /^\/0\/1$/],
    ['phone,,city\r\n14155551234,1,2\r\n', /^\/0\/1$/],
    ['phone,\r\n14155551234,1\r\n', /^\/1$/],
    ['phone,name\r\n14155551234,Ada\r\n../x,Eve\r\n', /^\/2\/phone$/],
    ['phone,name\r\n14155551234,Ada\r\n+1 415 555 1234,Eve\r\n', /^\/2\/phone$/],
    [`phone,city\r\n14155551234,${'x'.repeat(2000)}\r\n`, /^\/1\/city$/],
    ['phone,city\r\n14155551234,a\0b\r\n', /^\/1\/city$/],
    ['phone,city\r\n14155551234,a,b\r\n', /^\/1$/],
    ['phone,city\r\n14155551234,"a\r\n', /^\/1$/],
    [Buffer.from([0x70, 0x68, 0xff, 0xfe]), /^\/$/]
  ]
  for (const [text, path] of tables) {
    const answer = await put(board, text)
    t.match(
      answer,
      { status: 400, body: { code: 'invalid_request', errors: [{ path }] } },
      JSON.stringify(text).slice(0, 60)
    )
  }
  t.strictSame((await board.call('GET', '/contacts?channel=cloud')).body.items, [])
  const many = `phone\r\n${Array.from({ length: 10_001 }, (_, i) => `1415${String(i).padStart(7, '0')}`).join('\r\n')}`
  t.equal((await put(board, many)).status, 413)
  t.equal((await put(board, 'x'.repeat(8 * 1024 * 1024 + 1))).status, 413)
  t.equal((await board.call('POST', '/contacts.csv?channel=cloud', { body: { phone: '1' } })).status, 415)
  t.strictSame((await board.call('GET', '/contacts?channel=cloud')).body.items, [])
})

t.test('an import of many rows, with a byte order mark and an Idempotency-Key, is done once', async t => {
  const board = await startBoard(t)
  const rows = Array.from(
    { length: 250 },
    (_, i) => `1415${String(i).padStart(7, '0')},Name ${i},${i % 2 ? 'odd' : ''}`
  )
  const text = `\ufeffphone,name,kind\n${rows.join('\n')}\n`
  const first = await put(board, text, { 'idempotency-key': 'import-1' })
  t.strictSame(first.body, { rows: 250, created: 250, updated: 0 })
  const again = await put(board, text, { 'idempotency-key': 'import-1' })
  t.strictSame([again.text, again.headers['idempotency-replayed']], [first.text, 'true'])
  t.strictSame((await put(board, text)).body, { rows: 250, created: 0, updated: 250 })
  const filter = encodeURIComponent('[{"attribute":"kind","operator":"not_exists"}]')
  t.equal((await board.call('GET', `/contacts?channel=cloud&limit=100&filter=${filter}`)).body.items.length, 100)
  const out = table((await board.call('GET', '/contacts.csv?channel=cloud')).text)
  t.equal(out.length, 251)
  t.equal(new Set(out.map(([phone]) => phone)).size, 251)
})

t.test('WATI: its 23 contacts are exported, and an import is refused before any call', async t => {
  const board = await startBoard(t)
  const out = table((await board.call('GET', '/contacts.csv?channel=wati')).text)
  t.strictSame(out[0], ['phone', 'name', 'birthday', 'city', 'plan'])
  t.equal(out.length, 24)
  t.strictSame(out[1], ['14155551234', 'Ada Lovelace', '', 'London', 'gold'])
  board.sandbox.ledger.clear()
  const refused = await board.call('POST', '/contacts.csv?channel=wati', { body: 'phone\n14155551234\n', headers: csv })
  t.match(refused, { status: 422, body: { code: 'unsupported', outcome: 'not_sent' } })
  t.strictSame(board.sandbox.ledger.entries, [])
})

t.test('WATI: an export that breaks off is a problem and never half a table', async t => {
  const board = await startBoard(t)
  await fetch(`${board.sandbox.url}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operation: 'wati.getContacts', fault: 'bad_gateway_html', times: 1 })
  })
  const answer = await board.call('GET', '/contacts.csv?channel=wati')
  t.match(answer, { status: 503, body: { code: 'provider_unavailable' } })
})
