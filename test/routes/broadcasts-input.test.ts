import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { calm, fields, form, formType, order, phone, post, recipient, table, upload } from '../broadcasts/order.ts'
import { type Board, startBoard, until } from '../helper.ts'

const head = 'phone,name,ordernumber\r\n'
const good = (i: number) => `${phone(i)},Name ${i},${i}\r\n`
const later = { startAt: new Date(Date.now() + 3600_000).toISOString() }
const none = async (board: Board) => (await calm(board, 'GET', '/broadcasts')).body.items.length === 0

t.test('every bad row of a table is a 400 that names the row and the column', async t => {
  const board = await startBoard(t)
  const tables: [text: string | Buffer, path: string, message: RegExp][] = [
    ['', '/file/0', /header row/],
    ['name,ordernumber\r\nAda,1\r\n', '/file/0', /column phone/],
    [`phone,name,name\r\n${good(1)}`, '/file/0/2', /repeats/],
    [`phone,,ordernumber\r\n${good(1)}`, '/file/0/1', /name of a column/],
    [`phone,name\r\n${phone(1)},Ada\r\n`, '/file/0/ordernumber', /missing/],
    [`phone,name,ordernumber,city\r\n${phone(1)},Ada,1,Rome\r\n`, '/file/0/city', /not a variable/],
    [head, '/file', /at least one/],
    [`${head}${good(1)}../x,Eve,1\r\n`, '/file/2/phone', /one number/],
    [`${head}${good(1)},Eve,1\r\n`, '/file/2/phone', /is empty/],
    [`${head}${good(1)}${phone(2)},,1\r\n`, '/file/2/name', /empty/],
    [`${head}${phone(2)},a\0b,1\r\n`, '/file/1/name', /NUL/],
    [`${head}${phone(2)},${'x'.repeat(32_769)},1\r\n`, '/file/1/name', /32768/],
    [`${head}${good(1)}${phone(2)},Ada\r\n`, '/file/2/ordernumber', /empty/],
    [`${head}${phone(2)},Ada,1,2\r\n`, '/file/1', /4 cells/],
    [`${head}${good(1)}${phone(2)},"Ada,1\r\n`, '/file/2', /quote/],
    [`${head}${phone(2)},A"d"a,1\r\n`, '/file/1', /quote/],
    [`phone,reference,name,ordernumber\r\n${phone(2)},${'x'.repeat(129)},Ada,1\r\n`, '/file/1/reference', /128/],
    [Buffer.concat([Buffer.from(head), Buffer.from([0x31, 0xff, 0xfe, 0x0a])]), '/file', /UTF-8/],
    [Buffer.concat([Buffer.from(`${head}${good(1)}`), Buffer.from([0xe4])]), '/file', /UTF-8/],
    [`${head}${phone(2)},"${'x'.repeat(300_000)}",1\r\n`, '/file/1', /longer than/]
  ]
  for (const [text, path, message] of tables) {
    const answer = await upload(board, text)
    const said = JSON.stringify(String(text).slice(0, 60))
    t.match(answer, { status: 400, body: { code: 'invalid_request', outcome: 'not_sent' } }, said)
    const found = (answer.body.errors ?? []).find((fault: { path: string }) => fault.path === path)
    t.match(found?.message ?? answer.text, message, said)
  }
  t.ok(await none(board), 'nothing was stored')
  t.strictSame(
    board.sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries),
    []
  )
})

t.test('a bad recipient of a body is a 400 that names it', async t => {
  const board = await startBoard(t)
  const recipients = [
    recipient(1),
    { to: 'nobody', variables: { name: 'x', ordernumber: '1' } },
    { to: phone(3), variables: { name: 'x' } },
    { to: phone(4), variables: { name: 'x', ordernumber: '1', city: 'Rome' } },
    { to: phone(5), variables: ['x', ' '] },
    { to: phone(6) }
  ]
  const answer = await post(board, '', { body: order(0, { recipients }) })
  t.equal(answer.status, 400)
  t.strictSame(
    answer.body.errors.map(({ path }: { path: string }) => path),
    [
      '/recipients/1/to',
      '/recipients/2/variables/ordernumber',
      '/recipients/3/variables/city',
      '/recipients/4/variables/1',
      '/recipients/5/variables/name',
      '/recipients/5/variables/ordernumber'
    ]
  )
  const skipped = await post(board, '?skipInvalid=true', { body: order(0, { recipients, ...later }) })
  t.match(skipped, { status: 202, body: { total: 1, skipped: 5, errors: { length: 6 } } })
  t.equal((await calm(board, 'GET', `/broadcasts/${skipped.body.id}`)).body.errors, undefined, 'told once')
})

t.test('of many faults the first hundred are told, and how many there are', async t => {
  const board = await startBoard(t)
  const text = head + Array.from({ length: 250 }, (_, i) => `x${i},Ada,1\r\n`).join('')
  const answer = await upload(board, text)
  t.equal(answer.body.errors.length, 100)
  t.match(answer.body.detail, /250 faults in 250 rows/)
  t.match(await upload(board, text, '?skipInvalid=true'), { status: 400 }, 'nobody is left')
})

t.test('skipInvalid leaves bad rows out and reports them; the others go', async t => {
  const board = await startBoard(t)
  const text = `${head}${good(1)}nobody,Ada,1\r\n${good(2)}${phone(3)},,\r\n${good(3)}`
  const answer = await upload(board, text, '?skipInvalid=true', { fields: later })
  t.match(answer, { status: 202, body: { total: 3, skipped: 2, duplicates: 0 } })
  t.strictSame(
    answer.body.errors.map(({ path }: { path: string }) => path),
    ['/file/2/phone', '/file/4/name', '/file/4/ordernumber']
  )
  const { body } = await calm(board, 'GET', `/broadcasts/${answer.body.id}/messages`)
  t.strictSame(
    body.items.map(({ to }: { to: string }) => to),
    [phone(3), phone(2), phone(1)],
    'a number whose first row was bad is taken from its second'
  )
})

t.test('rows with the same number are one, however it is written, and the first of them counts', async t => {
  const board = await startBoard(t)
  const text = `${head}+1 (415) 555-0001,First,1\r\n${phone(2)},B,2\r\n+1.415.555.0001,Second,3\r\n+14155550001,Third,4\r\n`
  const answer = await upload(board, text, '', { fields: later })
  t.match(answer, { status: 202, body: { total: 2, duplicates: 2, skipped: 0 } })
  const { body } = await calm(board, 'GET', `/broadcasts/${answer.body.id}/messages?contact=14155550001`)
  t.match(body.items, [{ template: { variables: { name: 'First', ordernumber: '1' } } }])
})

t.test('a table may come with a byte order mark, any line end, quotes, empty lines and text marks', async t => {
  const board = await startBoard(t)
  const tables = [
    `\ufeff${head}${good(1)}`,
    `${head}${good(1)}`.replaceAll('\r\n', '\n'),
    `${head}${good(1)}`.trimEnd(),
    `"phone","name","ordernumber"\r\n"${phone(1)}","Name 1","1"\r\n`,
    ` phone , name,ordernumber \n${phone(1)},Name 1,1\n\n\n`,
    `${head}\r\n,,\r\n${good(1)}`,
    `ordernumber,reference,name,phone\r\n1,,Name 1,'+${phone(1)}\r\n`
  ]
  for (const text of tables) {
    const answer = await upload(board, text, '', { fields: later })
    const said = JSON.stringify(text.slice(0, 60))
    t.match(answer, { status: 202, body: { total: 1 } }, said)
    const { body } = await calm(board, 'GET', `/broadcasts/${answer.body.id}/messages`)
    t.match(body.items, [{ to: phone(1), template: { variables: { name: 'Name 1', ordernumber: '1' } } }], said)
  }
  const nasty = `${head}${phone(1)},"Ada ""the first"", 北京 😀 second line",'=1+1\r\n`
  const answer = await upload(board, nasty, '', { fields: later })
  const { body } = await calm(board, 'GET', `/broadcasts/${answer.body.id}/messages`)
  t.match(body.items[0].template.variables, { name: 'Ada "the first", 北京 😀 second line', ordernumber: '=1+1' })
})

t.test('more than 100,000 rows, more than 32 MiB and a body of more than 8 MiB are a 413', async t => {
  const board = await startBoard(t)
  const rows = await upload(board, table(100_001), '', { fields: later })
  t.match(rows, { status: 413, body: { code: 'payload_too_large', detail: /100000 rows/ } })
  const wide = `${head}${`${phone(1)},${'x'.repeat(1000)},1\r\n`.repeat(34_000)}`
  t.match(await upload(board, wide, '', { fields: later }), { status: 413, body: { code: 'payload_too_large' } })
  const heavy = { ...order(1), name: 'x'.repeat(9 * 1024 * 1024) }
  t.match(await post(board, '', { body: heavy }), { status: 413 })
  t.match(await post(board, '', { body: order(10_001) }), { status: 400, body: { errors: [{ path: '/recipients' }] } })
  t.ok(await none(board))
})

t.test('what is wrong with the form is told like what is wrong with the body', async t => {
  const board = await startBoard(t)
  const bad: [string, Record<string, string>, string][] = [
    ['template', { template: '{' }, '/template'],
    ['template', { template: '{"nam":"x"}' }, '/template/name'],
    ['rate', { ratePerSecond: 'fast' }, '/ratePerSecond'],
    ['rate', { ratePerSecond: '0' }, '/ratePerSecond'],
    ['start', { startAt: 'tomorrow' }, '/startAt'],
    ['unknown', { colour: 'red' }, '/colour']
  ]
  for (const [name, more, path] of bad) {
    const answer = await upload(board, `${head}${good(1)}`, '', { fields: more })
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, name)
    t.ok(
      answer.body.errors.some((fault: { path: string }) => fault.path === path),
      `${name}: ${answer.text.slice(0, 300)}`
    )
  }
  const whole = form(fields, `${head}${good(1)}`).toString()
  const behind = whole.replace(/--x-boundary-x--\r\n$/, form({ startAt: later.startAt }).toString())
  t.match(await post(board, '', { body: behind, headers: formType }), {
    status: 400,
    body: { errors: [{ path: '/startAt' }] }
  })
  const cut = whole.slice(0, whole.length - 40)
  t.match(await post(board, '', { body: cut, headers: formType }), { status: 400 })
  const twice = whole.replace(
    '--x-boundary-x\r\n',
    `${form({ name: 'June' })
      .toString()
      .replace(/--x-boundary-x--\r\n$/, '')}--x-boundary-x\r\n`
  )
  t.match(await post(board, '', { body: twice, headers: formType }), {
    status: 400,
    body: { errors: [{ path: '/name' }] }
  })
  const withoutFile = await post(board, '', { body: form(fields), headers: formType })
  t.match(withoutFile, { status: 400, body: { errors: [{ path: '/file' }] } })
  t.match(await post(board, '', { body: 'phone\n1', headers: { 'content-type': 'text/csv' } }), { status: 415 })
  t.match(await post(board, '', {}), { status: 400 })
  t.ok(await none(board))
  // A moment after the answer no file is left behind.
  await until(
    () => readdirSync(join(board.directory, 'spool')),
    left => left.length === 0
  )
})
