import t from 'tap'
import { openStore } from '../../../src/store/index.ts'
import { message, put } from '../../conformance/store-rows.ts'
import { type Board, startBoard, until } from '../../helper.ts'
import { log } from '../../store/embedded.ts'

// POST /messages/resolve: many unknown messages, by the word of a caller who has counted them.

const resolve = (board: Board, body: unknown, key?: string) =>
  board.call('POST', '/messages/resolve', { body, ...(key && { key }) })
const count = async (board: Board, query: string): Promise<number> => {
  let items = 0
  for (let cursor = ''; ; ) {
    const { body } = await board.call('GET', `/messages?limit=100&${query}${cursor && `&cursor=${cursor}`}`)
    items += body.items.length
    if (body.nextCursor === null) return items
    cursor = body.nextCursor
  }
}
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send').length

/** A board on a store that has these rows already. */
async function boardWith(
  t: Parameters<typeof startBoard>[0],
  rows: ReturnType<typeof message>[],
  env: Record<string, string> = {}
): Promise<Board> {
  const first = await startBoard(t)
  await first.close()
  const store = await openStore({ directory: first.directory }, log)
  await Promise.all(rows.map(row => put(store, row)))
  await store.close()
  return startBoard(t, { directory: first.directory, sandbox: first.sandbox, env })
}
const unknown = (changes = {}) =>
  message({
    service: 'admin',
    channel_id: 'cloud',
    provider: 'whatsapp-cloud',
    state: 'unknown',
    attempts: 1,
    ...changes
  })

t.test('many are abandoned or confirmed where the number is right, and none where it is not', async t => {
  const board = await boardWith(t, [
    ...Array.from({ length: 130 }, () => unknown({ reference: 'a' })),
    ...Array.from({ length: 5 }, () => unknown({ reference: 'b' })),
    unknown({ reference: 'a', final: 1 }),
    unknown({ reference: 'a', state: 'accepted' }),
    unknown({ reference: 'a', mode: 'test' })
  ])
  const all = { filter: { reference: 'a' }, verdict: 'abandon' }
  const wrong = await resolve(board, { ...all, expectedCount: 131 })
  t.match(wrong, {
    status: 409,
    body: { code: 'conflict', detail: /means 130 messages, not 131: nothing was changed/ }
  })
  t.match((await board.call('GET', '/messages?reference=b&limit=1')).body.items, [{ status: 'unknown', final: false }])
  t.equal((await board.call('GET', '/audit?target=messages')).body.items.length, 0)

  const right = await resolve(board, { ...all, expectedCount: 130 })
  t.match(right, { status: 200, body: { verdict: 'abandon', count: 130 } })
  t.match((await resolve(board, { ...all, expectedCount: 0 })).body, { count: 0 }, 'none is left')
  t.equal(await count(board, 'reference=a&status=unknown'), 131, 'abandoned ones stay unknown')
  const confirmed = await resolve(board, { filter: {}, expectedCount: 5, verdict: 'confirm_sent' })
  t.match(confirmed.body, { count: 5 }, 'an empty filter is everything that is open')
  t.equal(await count(board, 'reference=b&status=accepted'), 5)
  t.match((await board.call('GET', '/audit?target=messages')).body.items, [
    { action: 'messages.resolved', detail: { verdict: 'confirm_sent', expectedCount: 5 } },
    { action: 'messages.resolved', detail: { verdict: 'abandon', filter: { reference: 'a' }, expectedCount: 130 } }
  ])
  t.equal(sends(board), 0, 'nothing was sent by any of that')
})

t.test('many are sent anew, once each, through the queue', async t => {
  const numbers = Array.from({ length: 60 }, (_, i) => `1415557${String(i).padStart(4, '0')}`)
  const board = await boardWith(
    t,
    numbers.map(contact => unknown({ contact, reference: 'many' }))
  )
  const body = { filter: { reference: 'many' }, expectedCount: 60, verdict: 'resend' }
  t.match(await resolve(board, body), { status: 400, body: { errors: [{ path: '/acceptDuplicateRisk' }] } })
  const done = await resolve(board, { ...body, acceptDuplicateRisk: true })
  t.match(done.body, { verdict: 'resend', count: 60 })
  await until(
    () => count(board, 'reference=many&status=accepted'),
    accepted => accepted === 60
  )
  const sent = board.sandbox.ledger.sends().map(entry => entry.to)
  t.strictSame(sent.sort(), numbers)
  const { items } = (await board.call('GET', '/messages?reference=many&limit=100')).body
  const made = items.find((item: { status: string }) => item.status === 'accepted')
  const original = await board.call('GET', `/messages/${made.resendOf}`)
  t.match(original.body, { status: 'unknown', final: true, resolution: 'resent', to: made.to })
})

t.test('no more are sent anew than may wait', async t => {
  const rows = Array.from({ length: 8 }, () => unknown())
  const board = await boardWith(t, rows, { QUEUE_LIMIT: '7' })
  const all = { filter: {}, expectedCount: 8, verdict: 'resend', acceptDuplicateRisk: true }
  t.match(await resolve(board, all), { status: 503, body: { code: 'overloaded', outcome: 'not_sent' } })
  t.equal(await count(board, 'status=unknown'), 8)
  t.equal(sends(board), 0)
  t.equal((await resolve(board, { ...all, verdict: 'abandon' })).status, 200, 'CONTROL: the rest is not held up by it')
})

t.test('only what the key may touch is touched, and what it may not send is not sent anew', async t => {
  const board = await boardWith(t, [
    unknown({ service: 'billing', contact: '4915112345678' }),
    unknown({ service: 'billing', contact: '14155550001' }),
    unknown({ service: 'shipping' }),
    unknown({ service: 'billing', channel_id: 'wati', provider: 'wati', contact: '4915112345678' })
  ])
  const scopes = ['messages:send', 'messages:read']
  const narrow = await board.key({ scopes, channels: ['cloud'], recipientPrefixes: ['49'] })
  const all = { filter: {}, expectedCount: 2, verdict: 'resend', acceptDuplicateRisk: true }
  t.match(await resolve(board, all, narrow), { status: 403, body: { detail: /begin with 49/ } })
  const some = { ...all, filter: { contact: '+49 151 12345678' }, expectedCount: 1 }
  t.match((await resolve(board, some, narrow)).body, { count: 1 })
  const wide = await board.key({ scopes })
  t.match((await resolve(board, { ...all, verdict: 'abandon' }, wide)).body, { count: 2 }, 'its own service alone')
  t.match(
    (await resolve(board, { ...all, expectedCount: 1, verdict: 'abandon' })).body,
    { count: 1 },
    'an operator: all'
  )
  const audit = (await board.call('GET', '/audit?target=messages')).text
  t.notMatch(audit, /4915112345678/, 'no number in full there')
})

t.test('what is gone or may still be sent by a sleeper is not sent anew, and then nothing is', async t => {
  const at = Date.now()
  const slept = [
    { at: at - 1000, status: 'sending', attempt: 1 },
    { at, status: 'unknown', attempt: 1, detail: 'the process that was sending it died' }
  ]
  const timeline = slept.map(line => `${JSON.stringify(line)}\n`).join('')
  const [plain, sleeps, gone] = [unknown(), unknown({ timeline }), unknown({ content: null })]
  const board = await boardWith(t, [plain, sleeps, gone])
  const all = { filter: {}, expectedCount: 3, verdict: 'resend', acceptDuplicateRisk: true }
  t.match(await resolve(board, all), { status: 409, body: { messageId: sleeps.id } })
  const risk = { acceptDuplicateRisk: true }
  const one = await board.call('POST', `/messages/${sleeps.id}/resend`, { body: risk })
  t.match(one, { status: 409, body: { detail: /may only be asleep/ } })
  const seconds = Number(one.headers['retry-after'])
  t.ok(seconds > 45 && seconds <= 55, `lease and deadline after the attempt: ${seconds} s`)
  const ruled = { verdict: 'resend', ...risk }
  t.match(await board.call('POST', `/messages/${sleeps.id}/resolve`, { body: ruled }), { status: 409 })
  t.match(await board.call('POST', `/messages/${gone.id}/resend`, { body: risk }), {
    status: 409,
    body: { detail: /content .* is not kept/ }
  })
  t.equal(sends(board), 0)
  const sent = await board.call('POST', `/messages/${plain.id}/resend`, { body: risk })
  t.equal(sent.status, 201, 'CONTROL: without a sleeper and with its content it is')
})
