import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parse } from 'csv-parse/sync'
import t from 'tap'
import { calm, ended, everyBroadcastScope, order, phone, post, recipient, table, upload } from '../broadcasts/order.ts'
import { type Board, startBoard, until } from '../helper.ts'

const reached = (board: Board): string[] =>
  board.sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries.map(({ to }) => to))
const future = (ms = 3600_000) => new Date(Date.now() + ms).toISOString()

t.test('a broadcast reaches each of its recipients once and counts them', async t => {
  const board = await startBoard(t)
  const made = await post(board, '', { body: order(12) })
  t.match(made, { status: 202, body: { channel: 'cloud', mode: 'live', name: 'May', status: 'running', total: 12 } })
  t.equal(made.headers.location, `/broadcasts/${made.body.id}`)
  t.match(made.body.template, { name: 'order_update', language: 'en_US' })
  const { body } = await ended(board, made.body.id)
  t.match(body, { status: 'finished', total: 12, duplicates: 0, skipped: 0, counts: { queued: 0, accepted: 12 } })
  t.strictSame(
    reached(board).sort(),
    Array.from({ length: 12 }, (_, i) => phone(i))
  )
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a table of more than one batch is stored behind a block and then goes out, each row once', async t => {
  const board = await startBoard(t)
  const made = await upload(board, table(1201))
  t.match(made, { status: 202, body: { status: 'running', total: 1201 } }, made.text.slice(0, 500))
  const { body } = await ended(board, made.body.id, 60_000)
  t.match(body, { status: 'finished', counts: { accepted: 1201 } })
  t.equal(new Set(reached(board)).size, 1201)
  t.equal(reached(board).length, 1201)
})

t.test('WATI: hundreds go out in a few calls, and whoever is not on WhatsApp fails alone', async t => {
  const board = await startBoard(t)
  const recipients = [...order(598).recipients, { ...recipient(599), to: '15550100001' }]
  const made = await post(board, '', { body: order(0, { channel: 'wati', recipients }) })
  t.match(made, { status: 202, body: { total: 599 } }, made.text.slice(0, 300))
  const { body } = await ended(board, made.body.id, 60_000)
  t.match(body, { status: 'finished', counts: { accepted: 598, failed: 1 } })
  t.equal(new Set(reached(board)).size, 598)
  t.equal(reached(board).length, 598)
  t.strictSame(
    board.sandbox.ledger.violations().filter(each => !each.includes('15550100001')),
    []
  )
  const calls = board.sandbox.ledger.entries.filter(({ operation }) => operation === 'wati.sendTemplateMessagesV2')
  t.ok(calls.length >= 3 && calls.length < 60, `${calls.length} calls`)
})

t.test('its messages are told like any others, page by page and by status, contact and reference', async t => {
  const board = await startBoard(t)
  const { body } = await post(board, '', { body: order(7) })
  await ended(board, body.id)
  const at = `/broadcasts/${body.id}/messages`
  const first = await calm(board, 'GET', `${at}?limit=5`)
  t.match(first.body.items[0], { type: 'template', to: phone(6), reference: 'order-6', broadcastId: body.id })
  t.match(first.body.items[0].template, { name: 'order_update', variables: { name: 'Name 6', ordernumber: '6' } })
  const second = await calm(board, 'GET', `${at}?limit=5&cursor=${first.body.nextCursor}`)
  t.equal(second.body.items.length, 2)
  t.equal(second.body.nextCursor, null)
  for (const [filter, count] of [
    ['status=accepted', 7],
    ['status=queued', 0],
    [`contact=${phone(3)}`, 1],
    ['reference=order-3', 1],
    ['reference=order-33', 0]
  ] as const)
    t.equal((await calm(board, 'GET', `${at}?${filter}`)).body.items.length, count, filter)
  t.equal((await calm(board, 'GET', `/messages?broadcastId=${body.id}`)).body.items.length, 7)
})

t.test('the results are a table that no spreadsheet runs anything of', async t => {
  const board = await startBoard(t)
  const recipients = [recipient(0), { ...recipient(1), reference: '=1+1' }, { ...recipient(2), to: '15550100001' }]
  const { body } = await post(board, '', { body: order(0, { recipients }) })
  await ended(board, body.id)
  const answer = await calm(board, 'GET', `/broadcasts/${body.id}/messages?limit=1`, {
    headers: { accept: 'text/csv' }
  })
  t.match(answer.headers, { 'content-type': /^text\/csv/, 'content-disposition': /brd_/ })
  t.ok(answer.text.startsWith('\ufeffphone,'), 'with the mark by which Excel knows UTF-8')
  const rows = parse(answer.text, { columns: true, bom: true }) as Record<string, string>[]
  t.equal(rows.length, 3, 'all of them, whatever the limit')
  t.match(rows[0], { phone: phone(0), reference: 'order-0', acceptedAt: /Z$/ }, 'in the order of the recipients')
  t.match(rows[1], { phone: phone(1), reference: "'=1+1", status: 'accepted' })
  t.match(rows[2], { phone: '15550100001', status: 'failed', errorCode: 'recipient_invalid', attempts: '1' })
})

t.test('one that begins later is scheduled, and begins by itself', async t => {
  const board = await startBoard(t)
  const made = await post(board, '', { body: order(2, { startAt: future() }) })
  t.match(made.body, { status: 'scheduled', counts: { queued: 2 } })
  t.equal(made.body.startedAt, undefined)
  t.equal(
    board.sandbox.ledger.entries.some(({ deliveries }) => deliveries.length > 0),
    false
  )
  // Its time is moved, as a near one might have come before it was accepted.
  const near = Date.now() + 1000
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.prepare('update broadcasts set start_at = ?').run(near)
  db.prepare('update messages set run_at = ?').run(near)
  db.close()
  const { body } = await ended(board, made.body.id)
  t.match(body, { status: 'finished', counts: { accepted: 2 }, startAt: new Date(near).toISOString() })
  t.ok(body.startedAt >= body.startAt, `${body.startedAt} is not before ${body.startAt}`)
})

t.test('the list shows the newest first, by channel and status, and no draft', async t => {
  const board = await startBoard(t)
  const ids: string[] = []
  for (let i = 0; i < 3; i++) ids.push((await post(board, '', { body: order(1, { startAt: future() }) })).body.id)
  await calm(board, 'POST', `/broadcasts/${ids[0]}/pause`)
  const list = async (query: string) =>
    (await calm(board, 'GET', `/broadcasts${query}`)).body.items.map(({ id }: { id: string }) => id)
  t.strictSame(await list(''), ids.toReversed())
  t.strictSame(await list('?status=paused'), [ids[0]])
  t.strictSame(await list('?status=scheduled&channel=cloud'), [ids[2], ids[1]])
  t.strictSame(await list('?channel=wati'), [])
  const first = await calm(board, 'GET', '/broadcasts?limit=2')
  t.strictSame(await list(`?limit=2&cursor=${first.body.nextCursor}`), [ids[0]])
})

t.test('the same Idempotency-Key makes one broadcast, from JSON and from a table', async t => {
  const board = await startBoard(t)
  const startAt = future()
  const options = { body: order(3, { startAt }), headers: { 'idempotency-key': 'may-1' } }
  const first = await post(board, '', options)
  const again = await post(board, '', options)
  t.strictSame([again.text, again.status, again.headers['idempotency-replayed']], [first.text, 202, 'true'])
  const other = await post(board, '', { ...options, body: order(4, { startAt }) })
  t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } })
  t.match((await post(board, '?skipInvalid=true', options)).body, { code: 'idempotency_key_reused' })

  const headers = { 'idempotency-key': 'may-2' }
  const one = await upload(board, table(3), '', { headers, fields: { startAt } })
  const two = await upload(board, table(3), '', { headers, fields: { startAt } })
  t.equal(two.body.id, one.body.id)
  t.match((await upload(board, table(4), '', { headers, fields: { startAt } })).body, {
    code: 'idempotency_key_reused'
  })
  t.equal((await calm(board, 'GET', '/broadcasts')).body.items.length, 2)
})

t.test('a key may send only through its channels, its templates and to its recipients', async t => {
  const board = await startBoard(t)
  const can = async (rights: object, body: object = order(1, { startAt: future() })) => {
    const key = await board.key({ scopes: everyBroadcastScope, ...rights })
    return post(board, '', { body, key })
  }
  t.equal((await can({})).status, 202, 'CONTROL')
  t.match(await can({ channels: ['wati'] }), { status: 403, body: { detail: /channel cloud/ } })
  t.match(await can({ templates: ['spring_sale'] }), { status: 403, body: { detail: /template order_update/ } })
  const refused = await can({ recipientPrefixes: ['49'] })
  t.match(refused, { status: 403, body: { detail: /^\/recipients\/0\/to: .*49/ } })
  const key = await board.key({ service: 'other', scopes: everyBroadcastScope, recipientPrefixes: ['1415'] })
  const table = `phone,name,ordernumber\r\n${phone(1)},A,1\r\n49155501234,B,2\r\n`
  const partly = await upload(board, table, '?skipInvalid=true', { key })
  t.match(partly, { status: 403, body: { detail: /^\/file\/2\/phone: / } }, 'a right is not a fault to be skipped')
  t.strictSame((await calm(board, 'GET', '/broadcasts', { key })).body.items, [])
})

t.test('a template that is not there, or that cannot be sent so, is refused before anything is stored', async t => {
  const board = await startBoard(t)
  const missing = await post(board, '', { body: order(1, { template: { name: 'order_updat' } }) })
  t.match(missing, { status: 422, body: { code: 'template_not_found', detail: /order_update/ } })
  const noPicture = await post(board, '', {
    body: order(0, { template: { name: 'spring_sale' }, recipients: [{ to: phone(1), variables: ['Ada'] }] })
  })
  t.match(noPicture, { status: 422, body: { code: 'template_invalid', errors: [{ path: '/template/header/image' }] } })
  const header = { image: { link: 'https://example.com/a.jpg' } }
  const picture = await post(board, '', {
    body: order(0, { template: { name: 'spring_sale', header }, recipients: [{ to: phone(1), variables: ['Ada'] }] })
  })
  t.equal(picture.status, 202, 'CONTROL: with its picture')
  t.match((await ended(board, picture.body.id)).body.counts, { accepted: 1 })
  t.equal((await calm(board, 'GET', '/broadcasts')).body.items.length, 1)
})

t.test('one whose every message failed is failed, one that reached somebody is finished', async t => {
  const board = await startBoard(t)
  const nobody = { ...recipient(1), to: '15550100001' }
  const none = await post(board, '', { body: order(0, { recipients: [nobody] }) })
  t.match((await ended(board, none.body.id)).body, { status: 'failed', counts: { failed: 1 } })
  const one = await post(board, '', { body: order(0, { recipients: [nobody, recipient(2)] }) })
  t.match((await ended(board, one.body.id)).body, { status: 'finished', counts: { failed: 1, accepted: 1 } })
})

t.test('another service sees nothing of it, and read_all sees all of it', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes: everyBroadcastScope })
  const { body } = await post(board, '', { body: order(1, { startAt: future() }), key })
  const stranger = await board.key({ service: 'shipping', scopes: everyBroadcastScope })
  const auditor = await board.key({ service: 'audit', scopes: [...everyBroadcastScope, 'read_all'] })
  for (const path of ['', '/messages', '/events']) {
    t.equal((await calm(board, 'GET', `/broadcasts/${body.id}${path}`, { key: stranger })).status, 404, path)
  }
  t.equal((await calm(board, 'GET', `/broadcasts/${body.id}`, { key: auditor })).status, 200)
  await until(
    () => board.call('POST', `/broadcasts/${body.id}/cancel`, { key }),
    ({ status }) => status === 200
  )
})
