import t from 'tap'
import { heldSandbox, patient } from '../../held.ts'
import { type Answer, type Board, startBoard, until } from '../../helper.ts'

const body = (to = '14155551234', words = 'Hello') => ({ channel: 'cloud', to, type: 'text', text: { body: words } })
const post = (
  board: Board,
  key: string,
  json: unknown = body(),
  options: { key?: string; headers?: Record<string, string> } = {}
) =>
  board.call('POST', '/messages', {
    body: json,
    ...(options.key && { key: options.key }),
    headers: { 'idempotency-key': key, ...options.headers }
  })
const processed = (board: Board) => board.sandbox.ledger.sends()

t.test('forty identical requests make one send and one answer, over a restart too', async t => {
  const board = await startBoard(t)
  const answers = await Promise.all(Array.from({ length: 40 }, () => post(board, 'order-1')))
  const running = answers.filter(answer => answer.status === 409)
  const done = answers.filter(answer => answer.status === 201)
  t.equal(running.length + done.length, 40)
  t.ok(done.length >= 1)
  for (const answer of running) {
    t.equal(answer.body.code, 'idempotency_in_progress')
    t.equal(answer.headers['retry-after'], '1')
  }
  const again = await Promise.all(Array.from({ length: 40 }, () => post(board, 'order-1')))
  const first = done.find(answer => answer.headers['idempotency-replayed'] === undefined) as Answer
  t.ok(first, 'one of them was the first')
  for (const answer of again) {
    t.equal(answer.text, first.text, 'the same bytes')
    t.equal(answer.status, first.status)
    t.equal(answer.headers['idempotency-replayed'], 'true')
    t.equal(answer.headers.location, first.headers.location)
  }
  t.equal(processed(board).length, 1)
  await board.close()

  const restarted = await startBoard(t, { directory: board.directory, sandbox: board.sandbox })
  const later = await post(restarted, 'order-1')
  t.equal(later.text, first.text, 'the same bytes after a restart')
  t.equal(later.headers['idempotency-replayed'], 'true')
  t.equal(processed(board).length, 1)
})

t.test('without a key each POST is a new act', async t => {
  const board = await startBoard(t)
  await board.call('POST', '/messages', { body: body() })
  await board.call('POST', '/messages', { body: body() })
  t.equal(processed(board).length, 2, 'the control of the test above: it is the key that makes it one')
})

t.test('the key belongs to the body in its canonical form', async t => {
  const board = await startBoard(t)
  const first = await post(board, 'k')
  const reordered = await board.call('POST', '/messages', {
    body: '{ "text": {"body":"Hello"},  "type":"text","to":"14155551234", "channel":"cloud"}',
    headers: { 'idempotency-key': '"k"', 'content-type': 'application/json' }
  })
  t.equal(reordered.text, first.text, 'white space, member order and quotes around the key do not matter')
  const other = await post(board, 'k', body('14155551234', 'Hello!'))
  t.equal(other.status, 422)
  t.equal(other.body.code, 'idempotency_key_reused')
  t.equal(processed(board).length, 1)
})

t.test('the key belongs to the service, so a new key of it replays and another service does not', async t => {
  const board = await startBoard(t)
  const [one, two, other] = [await board.key(), await board.key(), await board.key({ service: 'shipping' })]
  const first = await post(board, 'k', body(), { key: one })
  t.equal((await post(board, 'k', body(), { key: two })).text, first.text)
  t.not((await post(board, 'k', body(), { key: other })).body.id, first.body.id)
  t.equal(processed(board).length, 2)
})

t.test('a refusal by the provider is kept, and what was refused before a row is not', async t => {
  const board = await startBoard(t)
  const refused = await post(board, 'k1', body('15550100002'))
  t.equal(refused.status, 409)
  const again = await post(board, 'k1', body('15550100002'))
  t.equal(again.text, refused.text)
  t.equal(board.sandbox.ledger.entries.length, 1)

  t.equal((await post(board, 'k2', { ...body(), channel: 'nowhere' })).status, 404)
  t.equal((await post(board, 'k2')).status, 201, 'the key was still free')
})

t.test('no 5xx is kept: a retry sends again only where the first certainly failed', async t => {
  const board = await startBoard(t)
  const failed = await post(board, 'k', body('15550100019'))
  t.equal(failed.status, 502)
  const retried = await post(board, 'k', body('15550100019'))
  t.equal(retried.status, 502)
  t.not(retried.body.messageId, failed.body.messageId, 'a new message')
  t.equal(board.sandbox.ledger.entries.length, 2)

  const unknown = await post(board, 'u', body('15550100009'))
  t.equal(unknown.body.status, 'unknown')
  t.equal(
    (await post(board, 'u', body('15550100009'))).text,
    unknown.text,
    'an unknown one is answered, never sent again'
  )
  t.equal(board.sandbox.ledger.entries.length, 3)
})

t.test('while the first one runs, a second neither waits nor runs', async t => {
  const { sandbox, letGo } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  const slow = post(board, 'k', body('15550100007'))
  await until(
    () => board.sandbox.ledger.entries.length,
    count => count === 1
  )
  const second = await post(board, 'k', body('15550100007'))
  t.equal(second.status, 409, 'though nothing has answered the first')
  t.equal(second.headers['retry-after'], '1')
  await letGo()
  t.equal((await slow).status, 201)
  t.equal(board.sandbox.ledger.entries.length, 1)
})

t.test('keys of every form', async t => {
  const board = await startBoard(t)
  for (const [key, fits] of [
    ['a', true],
    ['x'.repeat(255), true],
    ['"quoted \\"key\\""', true],
    ['x'.repeat(256), false],
    ['"open', false],
    ['""', false],
    ['käse', false]
  ] as const) {
    const answer = await post(board, key)
    t.equal(answer.status, fits ? 201 : 400, `${key.slice(0, 20)} (${key.length})`)
    if (!fits) t.equal(answer.body.errors[0].path, 'header/Idempotency-Key')
  }
})

t.test('a first request that died before its answer is answered from the row', async t => {
  const { sandbox, letGo } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  const first = await post(board, 'k', body('15550100007'), { headers: { prefer: 'wait=0' } })
  t.equal(first.status, 202)
  t.equal((await post(board, 'k', body('15550100007'))).text, first.text, 'the first answer stays the answer')
  await letGo()
  await until(
    () => board.call('GET', `/messages/${first.body.id}`),
    row => row.body.status === 'accepted'
  )
  t.equal((await post(board, 'k', body('15550100007'))).text, first.text)
})
