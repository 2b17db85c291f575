import { Buffer } from 'node:buffer'
import t from 'tap'
import {
  calm,
  ended,
  fields,
  form,
  formType,
  order,
  phone,
  post,
  recipient,
  template,
  upload
} from '../broadcasts/order.ts'
import { type Board, startBoard } from '../helper.ts'
import { workbook } from '../tables/workbook.ts'

const later = { startAt: new Date(Date.now() + 3600_000).toISOString() }
const messages = async (board: Board, id: string) =>
  (await calm(board, 'GET', `/broadcasts/${id}/messages`)).body.items.map(
    ({ to, template: { variables } }: { to: string; template: { variables: object } }) => [to, variables]
  )

t.test('a broadcast takes the tables that people have', async t => {
  const board = await startBoard(t)
  const rows = `Phone;name;ordernumber;;\r\n'${phone(1)};José;1;;\r\n`
  const tables: [string, string | Buffer, Record<string, string>][] = [
    ['semicolons', rows, {}],
    ['Latin-1, as the form says', Buffer.from(rows, 'latin1'), { charset: 'iso-8859-1' }],
    ['UTF-16', Buffer.from(`\ufeff${rows.replaceAll(';', '\t')}`, 'utf16le'), {}],
    [
      '.xlsx',
      workbook([
        ['Phone', 'name', 'ordernumber'],
        [Number(phone(1)), 'José', 1]
      ]),
      {}
    ]
  ]
  for (const [name, table, more] of tables) {
    const answer = await upload(board, table, '', { fields: { ...later, ...more } })
    t.match(answer, { status: 202, body: { total: 1 } }, name)
    t.strictSame(await messages(board, answer.body.id), [[phone(1), { name: 'José', ordernumber: '1' }]], name)
  }
  t.match(await upload(board, Buffer.from(rows, 'latin1')), {
    status: 400,
    body: { errors: [{ path: '/file', message: /not UTF-8.*charset, e\.g\. windows-1252/ }] }
  })
  t.match(await upload(board, rows, '', { fields: { charset: 'klingon' } }), {
    status: 400,
    body: { errors: [{ path: '/charset' }] }
  })
  const short = `phone,name,ordernumber\r\n4.9E+11,Ada,1\r\n`
  t.match(await upload(board, short), {
    body: { errors: [{ path: '/file/1/phone', message: /spreadsheet shortens/ }] }
  })
})

t.test('a badly quoted row is left out with skipInvalid, and refuses the whole without', async t => {
  const board = await startBoard(t)
  const text = `phone,name,ordernumber\r\n${phone(1)},A,1\r\n${phone(2)},"Ada,2\r\n${phone(3)},"C",3\r\n`
  t.match(await upload(board, text), { status: 400, body: { errors: [{ path: '/file/2', message: /badly quoted/ }] } })
  const answer = await upload(board, text, '?skipInvalid=true', { fields: later })
  t.match(answer, { status: 202, body: { total: 2, skipped: 1, errors: [{ path: '/file/2' }] } })
  t.strictSame(
    (await messages(board, answer.body.id)).map(([to]: string[]) => to),
    [phone(3), phone(1)]
  )
  const book = workbook([
    ['phone', 'name', 'ordernumber'],
    [phone(1), 'A', '1'],
    [phone(2), { xml: '<c r="B3" t="b"><v>1</v></c>' }, '2']
  ])
  t.match(await upload(board, book), { body: { errors: [{ path: '/file/2/name', message: /TRUE or FALSE/ }] } })
  t.match(await upload(board, book, '?skipInvalid=true', { fields: later }), {
    status: 202,
    body: { total: 1, skipped: 1 }
  })
})

t.test('results come in the order of the file, however many batches it was', async t => {
  const board = await startBoard(t)
  const count = 600
  const recipients = Array.from({ length: count }, (_, i) => recipient((i * 7919) % count))
  const { body } = await post(board, '', { body: order(0, { recipients, ...later }) })
  const table = await calm(board, 'GET', `/broadcasts/${body.id}/messages`, { headers: { accept: 'text/csv' } })
  const [mark, ...lines] = table.text.trimEnd().split('\r\n')
  t.match(mark, /^\ufeffphone,reference,/)
  t.strictSame(
    lines.map(line => line.split(',')[0]),
    recipients.map(({ to }) => to)
  )
})

t.test('contacts take the same tables as broadcasts', async t => {
  const board = await startBoard(t)
  const put = (body: string | Buffer, type = 'text/csv') =>
    board.call('POST', '/contacts.csv?channel=cloud', { body, headers: { 'content-type': type } })
  const text = `Phone;Name;city\r\n'${phone(1)};José;São Paulo\r\n`
  const xlsx = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
  const book = workbook([
    ['Phone', 'Name', 'city'],
    [Number(phone(1)), 'José', 'São Paulo']
  ])
  const tables: [string | Buffer, string?][] = [
    [text],
    [Buffer.from(text, 'latin1'), 'text/csv; charset=windows-1252'],
    [Buffer.from(`\ufeff${text}`, 'utf16le'), 'application/vnd.ms-excel'],
    [text.replaceAll(';', '\t'), 'text/tab-separated-values'],
    [book, xlsx],
    [book, 'text/csv']
  ]
  for (const [table, type] of tables) {
    t.match(await put(table, type), { status: 200, body: { rows: 1 } }, type ?? 'text/csv')
    const { body } = await board.call('GET', `/contacts/${phone(1)}?channel=cloud`)
    t.match(body, { name: 'José', attributes: { city: 'São Paulo' } }, type ?? 'text/csv')
    await board.call('DELETE', `/contacts/${phone(1)}?channel=cloud`)
  }
  const refused = async (...table: [string | Buffer, string?]) => (await put(...table)).body.errors?.[0]
  t.match(await refused(Buffer.from(text, 'latin1')), { path: '/', message: /not UTF-8/ })
  t.match(await refused(text, 'text/csv; charset=klingon'), { path: 'header/Content-Type' })
  t.match(await refused('phone\n4.9E+11'), { path: '/1/phone', message: /spreadsheet shortens/ })
  t.match(await refused('phone,name\n1,"a'), { path: '/1', message: /badly quoted/ })
  t.equal((await put('{}', 'text/plain')).status, 415)
})

t.test('parts of a form that are typed application/json are taken, with and without a file name', async t => {
  const board = await startBoard(t)
  const boundary = 'x-boundary-x'
  const part = (name: string, value: string, more = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\nContent-Type: application/json\r\n\r\n${value}\r\n`
  const file = form({}, `phone,name,ordernumber\r\n${phone(1)},Ada,1\r\n`).toString()
  const send = (...parts: string[]) => post(board, '', { body: Buffer.from(parts.join('') + file), headers: formType })
  for (const more of ['', '; filename="blob"']) {
    const answer = await send(
      part('channel', '"cloud"', more),
      part('name', '"May"', more),
      part('template', JSON.stringify(template), more),
      part('ratePerSecond', '5', more),
      part('startAt', JSON.stringify(later.startAt), more)
    )
    t.match(answer, { status: 202, body: { name: 'May', ratePerSecond: 5, template } }, more)
  }
  const broken = ['', '; filename="blob"'].map(more => send(part('name', '"May"'), part('template', '{', more)))
  for (const answer of await Promise.all(broken)) t.match(answer, { status: 400, body: { code: 'invalid_request' } })
  t.match(await send(part('name', '"May"'), part('template', '{"nam":1}')), {
    body: { errors: [{ path: '/template/name' }] }
  })
  t.match(await send(part('name', '7'), part('template', JSON.stringify(template))), {
    body: { errors: [{ path: '/name' }] }
  })
  const unfilled = await upload(board, `phone,name,ordernumber\r\n${phone(1)},Ada,1\r\n`, '', {
    fields: { ...later, ratePerSecond: '', charset: '' }
  })
  t.match(unfilled, { status: 202 }, 'a field that was not filled in is none')
  t.equal(unfilled.body.ratePerSecond, undefined)
  const heavy = part('name', JSON.stringify('x'.repeat(70_000)), '; filename="blob"')
  t.match(await send(heavy), { status: 400, body: { errors: [{ path: '/name' }] } })
})

t.test('the order of a form is explained', async t => {
  const board = await startBoard(t)
  const table = form({}, `phone,name,ordernumber\r\n${phone(1)},Ada,1\r\n`).toString()
  const early = table.replace(/--x-boundary-x--\r\n$/, form(fields).toString())
  t.match(await post(board, '', { body: early, headers: formType }), {
    status: 400,
    body: { errors: [{ path: '/name', message: /must stand before the file/ }, { path: '/template' }] }
  })
  t.match(await board.call('POST', '/media', { body: early, headers: formType }), {
    status: 400,
    body: { errors: [{ path: '/channel', message: /must stand before the file/ }] }
  })
  const sent = await upload(board, `phone,name,ordernumber\r\n${phone(1)},Ada,1\r\n`)
  t.match(await ended(board, sent.body.id), { body: { total: 1 } }, 'CONTROL: in order it is taken')
})
