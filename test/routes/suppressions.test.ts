import t from 'tap'
import { order, recipient } from '../broadcasts/order.ts'
import { type Board, startBoard, until } from '../helper.ts'
import { offer } from '../offer.ts'

// Nobody who said stop is messaged (docs/api.md 12, docs/suppressions.md).

const to = '5215512345678'
const hello = (more: object = {}) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' }, ...more })
const send = (board: Board, more: object = {}, key?: string) =>
  board.call('POST', '/messages', { body: hello(more), ...(key && { key }) })
const stop = (board: Board, body: object, key?: string) =>
  board.call('POST', '/suppressions', { body: { category: 'all', to, ...body }, ...(key && { key }) })
const template = (name: string, language = 'en_US', variables?: object) => ({
  type: 'template',
  text: undefined,
  template: { name, language, ...(variables && { variables }) }
})

t.test('a suppressed person is refused before there is a row, until the suppression is taken away', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  const made = await stop(board, { reason: 'asked on the phone' })
  t.match(made, { status: 201, body: { to, category: 'all', source: 'api', mode: 'live', reason: /phone/ } })
  t.same((await stop(board, {})).body, made.body, 'kept once')
  const refused = await send(board)
  t.match(refused, { status: 409, body: { code: 'recipient_suppressed', outcome: 'not_sent' } })
  t.notOk('messageId' in refused.body)
  t.notMatch(refused.text, /12345678/, 'no number in what is told')
  const later = await send(board, { sendAt: new Date(Date.now() + 3600_000).toISOString() })
  t.match(later, { status: 409, body: { code: 'recipient_suppressed' } }, 'nor one for later')
  t.match(await call('POST', '/messages/validate', { body: hello() }), { status: 409 }, 'and a dry run says so')
  t.match((await call('GET', '/messages')).body.items, [], 'no row was made')
  t.match(await send(board, { to: '525599999999' }), { status: 201 }, 'CONTROL: somebody else')
  t.equal((await call('DELETE', '/suppressions?to=525512345678')).status, 204, 'by the other spelling')
  t.match(await call('DELETE', '/suppressions?to=525512345678'), { status: 404 })
  t.match(await send(board), { status: 201 }, 'CONTROL: it was the suppression')
  t.equal(sandbox.ledger.sends().length, 2)
  const { body: trail } = await call('GET', '/audit')
  const acts = trail.items.filter(({ action }: { action: string }) => action.startsWith('suppression'))
  t.match(
    acts.map(({ action, target }: Record<string, string>) => [action, target]),
    [
      ['suppression.removed', made.body.id],
      ['suppression.added', made.body.id]
    ]
  )
  t.notMatch(JSON.stringify(acts), /12345678/)
})

t.test('one person has many names: each is refused, and a stranger is not', async t => {
  const board = await startBoard(t)
  for (const [stopped, addressed, refused] of [
    ['525512345678', '5215512345678', true],
    ['5215512345679', '525512345679', true],
    ['5491112345678', '541112345678', true],
    ['5511987654321', '551187654321', true],
    ['551187654322', '5511987654322', true],
    // A landline and a mobile number of eight equal digits are two people.
    ['551123456789', '5511923456789', false],
    ['4915112345678', '4915112345679', false]
  ] as const) {
    await stop(board, { to: stopped })
    const { status } = await send(board, { to: addressed })
    t.equal(status, refused ? 409 : 201, `${stopped} stopped, ${addressed} written to`)
  }
})

t.test('what belongs to some channel, mode or kind of message is refused there and nowhere else', async t => {
  const board = await startBoard(t)
  await stop(board, { channel: 'cloud', category: 'marketing' })
  t.match(await send(board), { status: 201 }, 'a conversation goes on')
  t.match(await send(board, offer), { status: 409, body: { code: 'recipient_suppressed' } })
  t.match(await send(board, template('hello_world')), { status: 201 }, 'CONTROL: a template of another category')
  const fallback = { fallback: { template: offer.template } }
  t.match(await send(board, fallback), { status: 409 }, 'nor as a fallback')
  const scopes = ['messages:send', 'messages:read', 'suppressions:read', 'suppressions:write']
  const test = await board.key({ mode: 'test', scopes })
  t.match((await board.call('GET', '/suppressions', { key: test })).body.items, [], 'test keys see nothing of it')
  t.match(await send(board, offer, test), { status: 201 }, 'and are not refused')
  await stop(board, { to: '4915100000001' }, test)
  t.match(await send(board, { to: '4915100000001' }, test), { status: 409 })
  t.match(await send(board, { to: '4915100000001' }), { status: 201 }, 'nor does a test stop anything live')
})

t.test('a one-time code may go to somebody who said stop, for a key that has the right', async t => {
  const board = await startBoard(t)
  await stop(board, {})
  const code = { ...template('login_code', 'en_US', { '1': '123456' }), ignoreSuppression: true }
  const plain = await board.key()
  t.match(await send(board, code, plain), { status: 403, body: { detail: /suppressions:ignore/ } })
  const scopes = ['messages:send', 'suppressions:ignore']
  const allowed = await board.key({ scopes })
  t.match(await send(board, { ...code, ignoreSuppression: false }, allowed), { status: 409 }, 'CONTROL: by itself not')
  const sent = await send(board, code, allowed)
  t.match(sent, { status: 201, body: { status: 'accepted' } })
  for (const more of [{}, template('hello_world')]) {
    const wrong = await send(board, { ...more, ignoreSuppression: true }, allowed)
    t.match(wrong, { status: 400, body: { errors: [{ path: '/ignoreSuppression' }] } }, 'and nothing else')
  }
})

t.test('rights: channels, recipients and scopes of a key bound what it may see and keep', async t => {
  const board = await startBoard(t)
  const { call } = board
  const scopes = ['suppressions:read', 'suppressions:write', 'messages:send']
  const ofWati = await board.key({ scopes, channels: ['wati'] })
  t.match(await stop(board, { channel: 'cloud' }, ofWati), { status: 403 })
  t.match(await stop(board, {}, ofWati), { status: 403, body: { detail: /limited to some channels/ } })
  t.match(await stop(board, { channel: 'wati' }, ofWati), { status: 201 })
  await stop(board, { channel: 'cloud' })
  await stop(board, { to: '4915100000002' })
  const seen = (await call('GET', '/suppressions', { key: ofWati })).body.items
  t.strictSame(
    seen.map(({ channel }: { channel?: string }) => channel),
    [undefined, 'wati']
  )
  t.match(await call('DELETE', `/suppressions?to=${to}`, { key: ofWati }), { status: 403 })
  t.match(await call('DELETE', `/suppressions?to=${to}&channel=cloud`, { key: ofWati }), { status: 403 })
  const german = await board.key({ scopes, recipientPrefixes: ['49'] })
  t.match(await stop(board, {}, german), { status: 403 })
  t.match((await call('GET', '/suppressions', { key: german })).body.items, [{ to: '4915100000002' }])
  t.equal((await call('GET', '/suppressions', { key: german })).body.items.length, 1)
  t.match(await call('GET', '/suppressions?to=0151', { key: german }), { status: 400 })
  const rows = (await call('GET', '/suppressions?limit=1')).body
  t.ok(rows.nextCursor)
  t.equal((await call('GET', `/suppressions?cursor=${rows.nextCursor}`)).body.items.length, 2)
  t.equal((await call('GET', `/suppressions?to=525512345678&channel=wati`)).body.items.length, 1)
})

t.test('a table goes in and comes out; a fault names its row, and nothing is taken then', async t => {
  const board = await startBoard(t)
  const { call } = board
  const put = (body: string, query = '', type = 'text/csv') =>
    call('POST', `/suppressions.csv${query}`, { body, headers: { 'content-type': type } })
  const faulty = 'phone;category;reason\n+49 151 00000003;all;\nnobody;some;\n'
  const wrong = await put(faulty)
  t.match(wrong, { status: 400, body: { errors: [{ path: '/2/phone' }, { path: '/2/category' }] } })
  t.match((await call('GET', '/suppressions')).body.items, [], 'nothing of it')
  t.match(await put('phone,colour\n4915100000003,red\n'), { status: 400, body: { errors: [{ path: '/0/1' }] } })
  t.match(await put('phone,channel\n4915100000003,nowhere\n'), { status: 404 })
  const table =
    'Phone;channel;category;reason\n+49 151 00000003;cloud;marketing;=asked\nDE.4711;;;\n+49 151 00000003;;;\n'
  t.match(await put(table), { status: 200, body: { rows: 3, created: 3 } })
  t.match(await put(table), { status: 200, body: { rows: 3, created: 0 } })
  const { text, headers } = await call('GET', '/suppressions.csv')
  t.match(headers['content-type'], /text\/csv/)
  t.match(text, /4915100000003,cloud,marketing,'=asked,import,/, 'and no spreadsheet runs anything of it')
  for (const target of ['4915100000003', 'DE.4711'])
    t.equal((await call('DELETE', `/suppressions?to=${target}`)).status, 204)
  t.match(await put(text), { status: 200, body: { rows: 3, created: 3 } }, 'an export is an import')
  t.match((await call('GET', '/suppressions?to=DE.4711')).body.items, [{ to: 'DE.4711', category: 'all' }])
  t.match(await send(board, { to: 'DE.4711' }), { status: 409 })
  t.equal((await put('phone\n4915100000004\n', '?channel=wati&category=marketing')).body.created, 1)
  t.match((await call('GET', '/suppressions?channel=wati&to=4915100000004')).body.items, [{ channel: 'wati' }])
})

t.test('who says stop while a message waits gets nothing: it ends as what it is, and the next ones go', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  await call('POST', '/channels/cloud/pause')
  const waits = async (to: string) => (await call('POST', '/messages', { body: hello({ to }) })).body.id as string
  const [stopped, other] = [await waits(to), await waits('4915100000005')]
  await stop(board, { to: '525512345678', channel: 'cloud' })
  await call('POST', '/channels/cloud/resume')
  const end = async (id: string) =>
    (
      await until(
        () => call('GET', `/messages/${id}`),
        ({ body }) => body.status !== 'queued' && body.status !== 'sending'
      )
    ).body
  t.match(await end(stopped), { status: 'failed', final: true, attempts: 0, error: { code: 'recipient_suppressed' } })
  t.match(await end(other), { status: 'accepted' }, 'CONTROL: somebody else')
  t.equal(sandbox.ledger.sends().length, 1)
  const resend = await call('POST', `/messages/${stopped}/resend`)
  t.match(resend, { status: 409, body: { code: 'recipient_suppressed' } }, 'nor is it sent anew')
  await call('DELETE', `/suppressions?to=${to}`)
  t.match(await call('POST', `/messages/${stopped}/resend`), { status: 201 }, 'CONTROL: it was that')
})

for (const channel of ['cloud', 'wati'])
  t.test(`a broadcast of ${channel} leaves them out, and says so`, async t => {
    const board = await startBoard(t)
    const { call, sandbox } = board
    await stop(board, { to: recipient(1).to, category: 'marketing' })
    await call('POST', `/channels/${channel}/pause`)
    const started = await call('POST', '/broadcasts', { body: order(4, { channel }) })
    t.match(started, { status: 202, body: { total: 4, suppressed: 1 } })
    const checked = await call('POST', '/broadcasts/validate', { body: order(4, { channel }) })
    t.match(checked, { status: 200, body: { total: 4, suppressed: 1 } }, 'as a check of it says')
    // Accepted, and the person said so only then.
    await stop(board, { to: recipient(2).to, channel, category: 'all' })
    await call('POST', `/channels/${channel}/resume`)
    const { id } = started.body
    const done = await until(
      () => call('GET', `/broadcasts/${id}`),
      ({ body }) => body.finishedAt !== undefined
    )
    t.match(done.body, { status: 'finished', suppressed: 1, counts: { accepted: 2, failed: 2 } })
    const { text } = await call('GET', `/broadcasts/${id}/messages`, { headers: { accept: 'text/csv' } })
    const suppressed = text.split('\r\n').filter(line => line.includes('recipient_suppressed'))
    t.strictSame(
      suppressed.map(line => line.split(',')[1]),
      ['order-1', 'order-2']
    )
    const before = sandbox.ledger.sends().length
    const again = await call('POST', `/broadcasts/${id}/retry-failed`)
    t.match(again, { status: 409, body: { code: 'recipient_suppressed' } }, 'nor when what failed is sent again')
    await call('DELETE', `/suppressions?to=${recipient(1).to}`)
    t.match(await call('POST', `/broadcasts/${id}/retry-failed`), { status: 200 }, 'who may be messaged again is')
    const last = await until(
      () => call('GET', `/broadcasts/${id}`),
      ({ body }) => body.finishedAt !== undefined
    )
    t.match(last.body.counts, { accepted: 3, failed: 1 })
    t.ok(sandbox.ledger.sends().length > before, 'CONTROL: that went out')
  })

t.test('a native call that names a suppressed person in its path or query is refused; a body is not read', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  await stop(board, {})
  const native = (path: string, body: object = {}) => call('POST', `/channels/wati/native/api/v1/${path}`, { body })
  const before = sandbox.ledger.entries.length
  for (const path of ['addContact/525512345678', `sendTemplateMessage?whatsappNumber=${to}`])
    t.match(await native(path), { status: 409, body: { code: 'recipient_suppressed' } }, path)
  t.equal(sandbox.ledger.entries.length, before, 'nothing left')
  t.equal((await native('addContact/4915100000009', { name: 'x' })).status, 200, 'CONTROL: somebody else')
  const read = await call('GET', `/channels/wati/native/api/v1/getMessages/${to}`)
  t.not(read.status, 409, 'reading is no message')
})

t.test('what a message may still become is stopped too: its fallback, and another of an unknown one', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  // It has not written for 24 hours: the text is refused, and the fallback would go.
  const cold = '15550100002'
  await call('POST', '/channels/cloud/pause')
  const { body } = await send(board, { to: cold, fallback: { template: offer.template } })
  await stop(board, { to: cold, category: 'marketing' })
  await call('POST', '/channels/cloud/resume')
  const done = await until(
    () => call('GET', `/messages/${body.id}`),
    answer => answer.body.final === true
  )
  t.match(done.body, { status: 'failed', attempts: 1, error: { code: 'recipient_suppressed', outcome: 'not_sent' } })
  t.notMatch(JSON.stringify(sandbox.ledger.sends().map(each => each.body)), /discount_code/)
  await call('DELETE', `/suppressions?to=${cold}`)
  const control = await send(board, { to: cold, fallback: { template: offer.template } })
  t.match(control, { status: 201, body: { type: 'template', status: 'accepted' } }, 'CONTROL: it would have gone')

  const unreadable = '15550100017'
  t.match(await send(board, { to: unreadable }), { status: 202, body: { status: 'unknown' } })
  await stop(board, { to: unreadable })
  const many = { filter: { contact: unreadable }, expectedCount: 1, verdict: 'resend', acceptDuplicateRisk: true }
  const resolve = () => call('POST', '/messages/resolve', { body: many })
  t.match(await resolve(), { status: 409, body: { code: 'recipient_suppressed' } })
  await call('DELETE', `/suppressions?to=${unreadable}`)
  t.match(await resolve(), { status: 200, body: { count: 1 } }, 'CONTROL: it was that')
})
