import { once } from 'node:events'
import t from 'tap'
import { adminKey, type Board, startBoard, until } from '../../helper.ts'
import { badDisk } from '../bad-disk.ts'

// What a caller can do about a message of which nobody knows whether it arrived (docs/reliability.md P5, P6).

const text = (channel: string, to: string, more = {}) => ({
  channel,
  to,
  type: 'text',
  text: { body: `Hello ${to}` },
  ...more
})
const sendsTo = (board: Board, to: string) =>
  board.sandbox.ledger.entries.filter(entry => entry.to === to && entry.method === 'POST')
const post = (board: Board, path: string, body?: unknown, headers = {}) =>
  board.call('POST', path, { ...(body !== undefined && { body }), headers })
const timeline = async (board: Board, id: string): Promise<{ status: string; detail?: string }[]> =>
  (await board.call('GET', `/messages/${id}/timeline`)).body.items
/** Sends to a number of which the outcome is unknown. */
const lose = async (board: Board, channel: string, to: string, more = {}) => {
  const answer = await post(board, '/messages', text(channel, to, more))
  if (answer.body.status !== 'unknown') throw new Error(`${to} is ${answer.text}`)
  return answer.body.id as string
}
/** Processed, and 502 for an answer. */
const lost = '15550100013'
/** Refused for what it says. */
const refused = '15550100024'

t.test('confirm_sent makes an unknown message accepted, once, and says who said so', async t => {
  const board = await startBoard(t)
  const id = await lose(board, 'cloud', lost)
  const done = await post(board, `/messages/${id}/resolve`, { verdict: 'confirm_sent' })
  t.equal(done.status, 200)
  t.match(done.body, { id, status: 'accepted', final: false, resolution: 'confirmed', acceptedAt: /^20/ })
  t.notOk(done.body.error, 'what was feared is not so')
  t.equal(done.headers.location, `/messages/${id}`)
  t.match((await timeline(board, id)).at(-1), { status: 'accepted', detail: /^confirm_sent by / })
  const audit = await board.call('GET', `/audit?target=${id}`)
  t.match(audit.body.items, [{ action: 'message.resolved', detail: { verdict: 'confirm_sent' } }])
  const again = await post(board, `/messages/${id}/resolve`, { verdict: 'abandon' })
  t.match(again, { status: 409, body: { code: 'conflict', messageId: id } })
  t.equal(sendsTo(board, lost).length, 1, 'and nothing was sent again')
})

t.test('abandon leaves it unknown for good', async t => {
  const board = await startBoard(t)
  const id = await lose(board, 'cloud', lost)
  const done = await post(board, `/messages/${id}/resolve`, { verdict: 'abandon' })
  t.match(done, { status: 200, body: { status: 'unknown', final: true, resolution: 'abandoned' } })
  t.equal((await post(board, `/messages/${id}/resolve`, { verdict: 'confirm_sent' })).status, 409)
})

t.test('resend by resolve needs the risk accepted, and makes one message in place of the unknown one', async t => {
  const board = await startBoard(t)
  board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'bad_gateway_html', times: 1 })
  const id = await lose(board, 'cloud', '14155550001', { reference: 'order-1', metadata: { k: 'v' } })
  const bare = await post(board, `/messages/${id}/resolve`, { verdict: 'resend' })
  t.match(bare, { status: 400, body: { errors: [{ path: '/acceptDuplicateRisk' }] } })
  t.equal(sendsTo(board, '14155550001').length, 1, 'nothing is sent by that')
  const risk = { verdict: 'resend', acceptDuplicateRisk: true }
  const done = await post(board, `/messages/${id}/resolve`, risk, { 'idempotency-key': 'once' })
  t.match(done, { status: 200, body: { id, status: 'unknown', final: true, resolution: 'resent' } })
  const made = await until(
    () => board.call('GET', String(done.headers.location)),
    each => each.body.status === 'accepted'
  )
  t.match(made.body, { resendOf: id, reference: 'order-1', metadata: { k: 'v' }, text: { body: 'Hello 14155550001' } })
  t.not(made.body.id, id)
  t.equal(sendsTo(board, '14155550001').length, 2)
  const same = await post(board, `/messages/${id}/resolve`, risk, { 'idempotency-key': 'once' })
  t.equal(same.text, done.text, 'the same key again is the same answer')
  t.equal(same.headers['idempotency-replayed'], 'true')
  t.equal((await post(board, `/messages/${id}/resolve`, risk)).status, 409, 'without a key it is refused')
  t.equal((await post(board, `/messages/${id}/resend`, { acceptDuplicateRisk: true })).status, 409)
  t.equal(sendsTo(board, '14155550001').length, 2, 'CONTROL: only the first one was sent anew')
})

t.test('two who resend at once send once', async t => {
  const board = await startBoard(t)
  board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'bad_gateway_html', times: 1 })
  const id = await lose(board, 'cloud', '14155550002')
  const both = await Promise.all(
    [0, 1, 2, 3].map(i =>
      i % 2
        ? post(board, `/messages/${id}/resend`, { acceptDuplicateRisk: true })
        : post(board, `/messages/${id}/resolve`, { verdict: 'resend', acceptDuplicateRisk: true })
    )
  )
  t.equal(both.filter(({ status }) => status < 300).length, 1, both.map(({ status }) => status).join())
  t.equal(both.filter(({ status }) => status === 409).length, 3)
  await until(
    () => sendsTo(board, '14155550002').length,
    count => count === 2
  )
  const list = await board.call('GET', '/messages?contact=14155550002')
  t.equal(list.body.items.length, 2)
})

t.test('resend answers as POST /messages does', async t => {
  const board = await startBoard(t)
  const { messageId: id } = (await post(board, '/messages', text('cloud', refused))).body
  const again = await post(board, `/messages/${id}/resend`)
  t.match(again, { status: 422, body: { code: 'message_rejected', instance: `/messages/${id}/resend` } })
  t.not(again.body.messageId, id)
  const row = await board.call('GET', `/messages/${again.body.messageId}`)
  t.match(row.body, { resendOf: id, status: 'failed' })

  const later = { ...text('cloud', '14155550003'), sendAt: new Date(Date.now() + 3600_000).toISOString() }
  const queued = (await post(board, '/messages', later)).body.id
  t.match(await post(board, `/messages/${queued}/resend`), { status: 409, body: { detail: /is queued/ } })
  await post(board, `/messages/${queued}/cancel`)
  const sent = await post(board, `/messages/${queued}/resend`, {}, { 'idempotency-key': 'k' })
  t.match(sent, { status: 201, body: { status: 'accepted', resendOf: queued } })
  t.notOk(sent.body.sendAt, 'at once, not when the first one was to go')
  const same = await post(board, `/messages/${queued}/resend`, {}, { 'idempotency-key': 'k' })
  t.equal(same.text, sent.text)
  t.match(await post(board, `/messages/${sent.body.id}/resend`), { status: 409, body: { detail: /is accepted/ } })
  t.equal(sendsTo(board, '14155550003').length, 1)
})

t.test(
  'a resend that failed with a 5xx is made again by the same key, and the unknown one is not in its way',
  async t => {
    const board = await startBoard(t)
    board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'bad_gateway_html', times: 1 })
    const id = await lose(board, 'cloud', '14155550005')
    board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'locked', times: 1 })
    const risk = { acceptDuplicateRisk: true }
    const again = () => post(board, `/messages/${id}/resend`, risk, { 'idempotency-key': 'k' })
    t.match(await again(), { status: 502, body: { code: 'channel_rejected', outcome: 'not_sent' } })
    const sent = await again()
    t.match(sent, { status: 201, body: { resendOf: id } })
    t.equal((await again()).text, sent.text)
    t.equal(sendsTo(board, '14155550005').filter(entry => entry.processed).length, 2, 'the lost one and this one')
    t.match(await post(board, `/messages/${id}/resend`, risk), { status: 409 }, 'CONTROL: another key is another act')
  }
)

t.test('a resend of which the store lost the commit leaves the unknown message open', async t => {
  const disk = badDisk(t)
  const board = await startBoard(t)
  const id = await lose(board, 'cloud', lost)
  disk.failing = true
  const answer = await post(board, `/messages/${id}/resend`, { acceptDuplicateRisk: true })
  disk.failing = false
  t.match(answer, { status: 503, body: { outcome: 'not_sent' } })
  const open = await until(
    () => board.call('GET', `/messages/${id}`),
    each => each.body.final === false
  )
  t.notOk(open.body.resolution)
  t.equal((await board.call('GET', `/messages?contact=${lost}`)).body.items.length, 1)
  t.equal((await post(board, `/messages/${id}/resend`, { acceptDuplicateRisk: true })).status, 202)
  t.equal(sendsTo(board, lost).length, 2)
})

t.test('resend asks for the rights of now, and keeps the message with its service', async t => {
  const board = await startBoard(t)
  const owner = await board.key()
  const { messageId: id } = (await board.call('POST', '/messages', { key: owner, body: text('cloud', refused) })).body
  const other = await board.key({ service: 'shipping' })
  t.equal((await board.call('POST', `/messages/${id}/resend`, { key: other })).status, 404)
  const narrow = await board.key({ recipientPrefixes: ['49'] })
  t.match(await board.call('POST', `/messages/${id}/resend`, { key: narrow }), { status: 403 })
  const elsewhere = await board.key({ channels: ['wati'] })
  t.equal((await board.call('POST', `/messages/${id}/resend`, { key: elsewhere })).status, 404)
  const { messageId: made } = (await post(board, `/messages/${id}/resend`)).body
  t.equal((await board.call('GET', `/messages/${made}`, { key: owner })).status, 200, 'an operator did it for them')
})

t.test('what is not unknown cannot be resolved or reconciled', async t => {
  const board = await startBoard(t)
  const { id } = (await post(board, '/messages', text('cloud', '14155550004'))).body
  t.match(await post(board, `/messages/${id}/resolve`, { verdict: 'abandon' }), { status: 409 })
  t.match(await post(board, `/messages/${id}/reconcile`), { status: 409 })
  t.match(await post(board, `/messages/${id}/resolve`, { verdict: 'forget' }), { status: 400 })
  t.match(await post(board, `/messages/${id}/resolve`, { verdict: 'abandon', why: 'x' }), { status: 400 })
})

t.test('GET waits until a message is final, and no longer than it was asked to', async t => {
  const board = await startBoard(t)
  const [id, other] = [await lose(board, 'cloud', lost), await lose(board, 'cloud', lost)]
  const wait = (which: string) => board.call('GET', `/messages/${which}`, { headers: { prefer: 'wait=30' } })
  let early = false
  const longer = wait(other).then(answer => {
    early = !answer.body.final
    return answer
  })
  const waited = wait(id)
  await post(board, `/messages/${id}/resolve`, { verdict: 'abandon' })
  const answer = await waited
  t.match(answer, { status: 200, body: { final: true, resolution: 'abandoned' } })
  t.equal(answer.headers['preference-applied'], 'wait=30')
  t.notOk(early, 'told, not waited for: who began to wait before it still does')
  await post(board, `/messages/${other}/resolve`, { verdict: 'abandon' })
  t.match(await longer, { status: 200, body: { final: true } })
  const open = await lose(board, 'cloud', '15550100012')
  const short = performance.now()
  const still = await board.call('GET', `/messages/${open}`, { headers: { prefer: 'wait=1' } })
  t.match(still.body, { final: false, status: 'unknown' })
  t.ok(performance.now() - short >= 990)
  t.notOk((await board.call('GET', `/messages/${open}`)).headers['preference-applied'])
})

t.test('who waits for a message does not hold up the end of the process', async t => {
  const board = await startBoard(t)
  const id = await lose(board, 'cloud', lost)
  const headers = { authorization: `Bearer ${adminKey}`, prefer: 'wait=60' }
  const asked = once(board.board.app.server, 'request')
  const waited = fetch(`${board.url}/messages/${id}`, { headers })
  await asked
  const begun = performance.now()
  const [answer] = await Promise.all([waited, board.close()])
  t.equal(answer.status, 200)
  t.ok(performance.now() - begun < 10_000)
})
