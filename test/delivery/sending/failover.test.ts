import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { type Board, startBoard, until } from '../../helper.ts'

// Where a message goes after a definite refusal, and that nothing goes on after anything else.

const text = { type: 'text', text: { body: 'Hello' } }
const order = (variables: Record<string, string>) => ({
  template: { name: 'order_update', language: 'en_US', variables }
})
const fallback = order({ name: 'Ada', ordernumber: '12345' })
const closed = '15550100002'
const open = '14155551234'
const seen = (board: Board, to: string) =>
  board.sandbox.ledger.entries
    .filter(entry => entry.to === to)
    .map(entry => `${entry.operation} ${entry.processed ? 'took it' : 'refused'}`)

for (const [channel, say, template] of [
  ['cloud', 'cloud.sendMessage', 'cloud.sendMessage'],
  ['wati', 'wati.sendSessionMessage', 'wati.sendTemplateMessageV2']
] as const) {
  t.test(`${channel}: where the window is closed the fallback is sent, as the same message`, async t => {
    const board = await startBoard(t)
    const answer = await board.call('POST', '/messages', { body: { channel, to: closed, ...text, fallback } })
    t.equal(answer.status, 201)
    t.match(answer.body, { type: 'template', status: 'accepted', attempts: 2, template: { name: 'order_update' } })
    t.match(answer.body.warnings.join(), /window was closed/)
    t.same(seen(board, closed), [`${say} refused`, `${template} took it`])
    const { body } = await board.call('GET', `/messages/${answer.body.id}/timeline`)
    t.same(
      body.items.map((item: { status: string }) => item.status),
      ['queued', 'sending', 'queued', 'sending', 'accepted']
    )
    t.same(board.sandbox.ledger.violations(), [])
  })
}

t.test('an open window needs no fallback, and another refusal does not bring it about', async t => {
  const board = await startBoard(t)
  const sent = await board.call('POST', '/messages', { body: { channel: 'cloud', to: open, ...text, fallback } })
  t.match(sent.body, { type: 'text', attempts: 1 })
  const refused = await board.call('POST', '/messages', {
    body: { channel: 'cloud', to: '15550100001', ...text, fallback }
  })
  t.equal(refused.body.code, 'recipient_invalid')
  t.equal(seen(board, '15550100001').length, 1)
})

t.test('a fallback that could not be sent is told before anything is', async t => {
  const board = await startBoard(t)
  const body = { channel: 'cloud', to: open, ...text, fallback: order({ name: 'Ada' }) }
  const answer = await board.call('POST', '/messages', { body })
  t.equal(answer.status, 422)
  t.equal(answer.body.errors[0].path, '/fallback/template/variables/ordernumber')
  t.same(seen(board, open), [])
})

t.test('the next channel is tried after a definite refusal', async t => {
  const board = await startBoard(t)
  board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'content_refused', times: 1 })
  const answer = await board.call('POST', '/messages', { body: { channel: ['cloud', 'wati'], to: open, ...text } })
  t.equal(answer.status, 201)
  t.match(answer.body, { channel: 'wati', provider: 'wati', attempts: 2 })
  t.match(answer.body.warnings.join(), /Channel cloud refused it \(message_rejected\)/)
  t.same(seen(board, open), ['cloud.sendMessage refused', 'wati.sendSessionMessage took it'])
  board.sandbox.force({ recipient: open, fault: 'content_refused', times: 2 })
  const none = await board.call('POST', '/messages', { body: { channel: ['cloud', 'wati'], to: open, ...text } })
  t.equal(none.body.code, 'message_rejected', 'the last refusal is the answer')
})

for (const fault of ['reset_after', 'gateway_timeout', 'empty_200', 'throttled', 'reset_before']) {
  t.test(`nothing goes on after ${fault}: only a definite refusal leads anywhere`, async t => {
    const board = await startBoard(t)
    board.sandbox.force({ operation: 'cloud.sendMessage', fault, times: 1 })
    const answer = await board.call('POST', '/messages', {
      body: { channel: ['cloud', 'wati'], to: open, ...text, fallback }
    })
    t.equal(answer.status, 202)
    t.equal(answer.body.channel, 'cloud')
    t.equal(seen(board, open).length, 1)
  })
}

t.test('a channel that cannot say it is passed over before anything is sent', async t => {
  const board = await startBoard(t)
  const location = { type: 'location', location: { latitude: 1, longitude: 2 } }
  const answer = await board.call('POST', '/messages', { body: { channel: ['wati', 'cloud'], to: open, ...location } })
  t.match(answer.body, { channel: 'cloud', status: 'accepted', attempts: 1 })
  t.match(answer.body.warnings.join(), /Channel wati was passed over/)
  const dry = await board.call('POST', '/messages/validate', {
    body: { channel: ['wati', 'cloud'], to: open, ...location }
  })
  t.equal(dry.body.channel, 'cloud')
  const key = await board.key({ channels: ['cloud'] })
  const barred = await board.call('POST', '/messages', { key, body: { channel: ['cloud', 'wati'], to: open, ...text } })
  t.equal(barred.status, 403, 'every channel of the list has to be allowed')
})

t.test('a process that dies between the refusal and the next try: the next try is made, once', async t => {
  const board = await startBoard(t)
  board.sandbox.force({ recipient: closed, fault: 'maton_throttled', times: 1, operation: 'cloud.sendMessage' })
  const answer = await board.call('POST', '/messages', { body: { channel: 'cloud', to: closed, ...text, fallback } })
  t.equal(answer.body.status, 'queued')
  await board.close()
  // As the commit after the refusal leaves it, with nobody to go on.
  const db = new DatabaseSync(`${board.directory}/switchboard.db`)
  db.prepare(
    `update messages set state = 'claimed', lease_until = 1, type = 'template', content = ?, options = null where id = ?`
  ).run(JSON.stringify(fallback.template), answer.body.id)
  db.close()
  const again = await startBoard(t, { directory: board.directory, sandbox: board.sandbox })
  await until(
    () => again.call('GET', `/messages/${answer.body.id}`),
    row => row.body.status === 'accepted'
  )
  t.equal(seen(again, closed).filter(entry => entry.endsWith('took it')).length, 1)
})
