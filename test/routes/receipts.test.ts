import t from 'tap'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { hostile } from './hostile.ts'

const wamid = 'wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI/xyz+AA=='
const last = (board: Board) => board.sandbox.ledger.entries.at(-1)!
const entries = (board: Board) => board.sandbox.ledger.entries.length
const read = (board: Board, id: string, query = '', options: object = {}) =>
  board.call('POST', `/messages/${encodeURIComponent(id)}/read${query}`, options)
const send = (board: Board, channel: string, more = {}) =>
  board.call('POST', '/messages', { body: { channel, to: '14155551234', type: 'text', text: { body: 'Hi' }, ...more } })

t.test('a message is marked as read by its WhatsApp id, with or without typing', async t => {
  const board = await startBoard(t)
  t.equal((await read(board, wamid, '?channel=cloud')).status, 204)
  t.match(last(board), {
    operation: 'cloud.markRead',
    method: 'POST',
    path: `/whatsapp-business/v24.0/${cloudSettings.phoneNumberId}/messages`
  })
  t.strictSame(last(board).body, { messaging_product: 'whatsapp', status: 'read', message_id: wamid })
  t.equal((await read(board, wamid, '?channel=cloud', { body: { typing: true } })).status, 204)
  t.strictSame(last(board).body, {
    messaging_product: 'whatsapp',
    status: 'read',
    message_id: wamid,
    typing_indicator: { type: 'text' }
  })
  for (const body of [{ typing: false }, {}]) {
    t.equal((await read(board, wamid, '?channel=cloud', { body })).status, 204)
    t.strictSame(Object.keys(last(board).body as object), ['messaging_product', 'status', 'message_id'])
  }
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a message of ours is known to the provider by its own id', async t => {
  const board = await startBoard(t)
  const { body } = await send(board, 'cloud')
  t.equal((await read(board, body.id)).status, 204, 'its channel need not be named')
  t.match(last(board).body, { status: 'read', message_id: body.providerMessageId })
  t.match(await read(board, body.id, '?channel=wati'), { status: 400, body: { errors: [{ path: 'query/channel' }] } })
  const later = await send(board, 'cloud', { sendAt: new Date(Date.now() + 3600_000).toISOString() })
  t.match(await read(board, later.body.id), { status: 409, body: { code: 'conflict' } }, 'it has none yet')
  t.equal((await read(board, `msg_${'0'.repeat(32)}`)).status, 404)
  const other = await board.key({ service: 'shipping', scopes: ['messages:send'] })
  t.equal((await read(board, body.id, '', { key: other })).status, 404, 'another service’s')
  t.equal(board.sandbox.ledger.entries.filter(each => each.operation === 'cloud.markRead').length, 1)
})

t.test('what WhatsApp does not know is a 404, and WATI cannot say it at all', async t => {
  const board = await startBoard(t)
  t.match(await read(board, 'wamid.unknown', '?channel=cloud'), { status: 404, body: { code: 'not_found' } })
  const { body } = await send(board, 'wati')
  const calls = entries(board)
  for (const [id, query] of [
    [wamid, '?channel=wati'],
    [body.id, '']
  ])
    t.match(await read(board, id, query), {
      status: 422,
      body: { code: 'unsupported', detail: /A channel of whatsapp-cloud can/ }
    })
  t.equal(entries(board), calls, 'nothing went upstream')
  board.sandbox.force({ operation: 'cloud.markRead', fault: 'reset_after' })
  t.match(await read(board, wamid, '?channel=cloud'), { status: 504, body: { code: 'outcome_unknown' } })
  board.sandbox.force({ operation: 'cloud.markRead', fault: 'failure_inside_200' })
  t.ok((await read(board, wamid, '?channel=cloud')).status >= 400, 'a refusal inside a 200 is no success')
})

t.test('an operator is assigned, and the bot', async t => {
  const board = await startBoard(t)
  const path = '/contacts/%2B1%20(415)%20555-1234/assignee?channel=wati'
  t.equal((await board.call('PUT', path, { body: { email: 'agent@example.com' } })).status, 204)
  t.match(last(board), { operation: 'wati.assignOperator', method: 'POST', path: '/wati/api/v1/assignOperator' })
  t.same(last(board).query, { email: 'agent@example.com', whatsappNumber: '14155551234' })
  t.equal((await board.call('DELETE', path)).status, 204)
  t.same(last(board).query, { whatsappNumber: '14155551234' })
  await board.call('POST', '/channels', {
    body: { id: 'second', provider: 'wati', connectionId: 'c', settings: { channelPhoneNumber: '85264318721' } }
  })
  await board.call('DELETE', '/contacts/14155551234/assignee?channel=second')
  t.same(last(board).query, { whatsappNumber: '14155551234', channelPhoneNumber: '85264318721' })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('what cannot be assigned is told, and never as success', async t => {
  const board = await startBoard(t)
  const put = (path: string, email: unknown, key?: string) =>
    board.call('PUT', `/contacts/${path}`, { body: { email }, ...(key && { key }) })
  const nobody = await put('14155551234/assignee?channel=wati', 'nobody@example.com')
  t.match(nobody, {
    status: 422,
    body: { code: 'message_rejected', outcome: 'not_sent', detail: /Operator not found/ }
  })
  board.sandbox.force({ operation: 'wati.assignOperator', fault: 'empty_200' })
  const lost = await put('14155551234/assignee?channel=wati', 'agent@example.com')
  t.match(lost, { status: 502, body: { code: 'provider_protocol', outcome: 'unknown' } })
  const calls = entries(board)
  for (const method of ['PUT', 'DELETE']) {
    const body = method === 'PUT' ? { body: { email: 'agent@example.com' } } : {}
    const answer = await board.call(method, '/contacts/14155551234/assignee?channel=cloud', body)
    t.match(answer, { status: 422, body: { code: 'unsupported', detail: /A channel of wati can/ } })
  }
  for (const email of [
    'nobody',
    'a@b',
    'a b@example.com',
    `${'a'.repeat(10_000)}@example.com`,
    'a\r\n@example.com',
    null
  ])
    t.match(await put('14155551234/assignee?channel=wati', email), {
      status: 400,
      body: { errors: [{ path: '/email' }] }
    })
  const key = await board.key({ scopes: ['contacts:write'], recipientPrefixes: ['44'] })
  t.equal((await put('14155551234/assignee?channel=wati', 'agent@example.com', key)).status, 403)
  t.equal(entries(board), calls, 'nothing went upstream')
})

t.test('hostile identifiers are a 400 that names the field', async t => {
  const board = await startBoard(t)
  const refused = async (method: string, path: string, at: RegExp, body?: object) => {
    const answer = await board.call(method, path, body ? { body } : {})
    t.equal(answer.status, 400, `${method} ${path.slice(0, 60)}`)
    t.match(answer.body.errors?.[0]?.path, at)
  }
  const anywhere = /^(path|query|\/)/
  for (const text of hostile) {
    await refused('POST', `/messages/${text}/read?channel=cloud`, anywhere)
    await refused('POST', `/messages/wamid.${text}%00/read?channel=cloud`, anywhere)
    await refused('POST', `/messages/wamid.x/read?channel=${text}`, /^query/)
    await refused('PUT', `/contacts/${text}/assignee?channel=wati`, anywhere, { email: 'a@example.com' })
    await refused('DELETE', `/contacts/${text}/assignee?channel=wati`, anywhere)
    await refused('DELETE', `/contacts/14155551234/assignee?channel=${text}`, /^query/)
  }
  await refused('POST', '/messages/wamid.x/read?channel=cloud', /^\/typing/, { typing: 'yes' })
  await refused('POST', '/messages/wamid.x/read?channel=cloud', /^\/message/, { message: 'x' })
  t.equal(entries(board), 0, 'nothing went upstream')
})
