import t from 'tap'
import { startBoard, until } from '../helper.ts'

// What is too much is refused before anything is done for it (RELIABILITY.md P23, T33, T34).

const text = (to: string) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const later = { sendAt: new Date(Date.now() + 3600_000).toISOString() }

t.test(
  'while the event loop lags requests are refused with Retry-After, and health and metrics are answered',
  async t => {
    const board = await startBoard(t)
    const key = await board.key()
    const send = () => board.call('POST', '/messages', { key, body: text('14155551234') })
    t.equal((await send()).status, 201, 'CONTROL: there is room')
    const sent = board.sandbox.ledger.entries.length
    /** Holds the event loop up, as too much work would. */
    const lag = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end; );
    }
    const refused = await until(
      async () => {
        lag(400)
        // The look at the delay comes first, then the request.
        await new Promise(resolve => setTimeout(resolve, 1))
        const [livez, readyz, metrics, answer] = await Promise.all([
          ...['/livez', '/readyz', '/metrics'].map(path => board.call('GET', path, { key: '' })),
          board.call('POST', '/messages', { key: '', body: text('14155551234') })
        ])
        t.strictSame([livez!.status, readyz!.status, metrics!.status], [200, 200, 200])
        return answer!
      },
      answer => answer.status === 503
    )
    t.match(refused.body, { code: 'overloaded', outcome: 'not_sent', retryable: true, retryAfterSeconds: 1 })
    t.equal(refused.headers['retry-after'], '1')
    t.ok(refused.headers['x-request-id'])
    await until(send, answer => answer.status === 201)
    t.equal(board.sandbox.ledger.entries.length, sent + 1, 'what was refused was not sent')
  }
)

t.test('a service whose queue is full is told so, and nobody else is', async t => {
  const board = await startBoard(t, { env: { QUEUE_LIMIT: '3' } })
  const key = await board.key()
  const other = await board.key({ service: 'shipping' })
  const send = (as: string, more = {}) =>
    board.call('POST', '/messages', { key: as, body: { ...text('14155551234'), ...more } })
  let made = 0
  const refused = await until(
    async () => {
      const answer = await send(key, later)
      if (answer.status === 202) made++
      return answer
    },
    answer => answer.status === 503
  )
  t.ok(made >= 3, `${made} wait`)
  t.match(refused.body, { code: 'overloaded', outcome: 'not_sent', detail: /messages of billing wait/ })
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.equal((await send(other)).status, 201, 'CONTROL: it is this service’s limit')
  const { items } = (await board.call('GET', '/messages', { key })).body
  t.equal(items.length, made, 'what was refused has no row')
  const first = await board.call('POST', '/messages', {
    key,
    body: { ...text('14155551234'), ...later },
    headers: { 'idempotency-key': 'k' }
  })
  t.equal(first.status, 503)
  for (const { id } of items) await board.call('POST', `/messages/${id}/cancel`, { key })
  const again = await until(
    () =>
      board.call('POST', '/messages', {
        key,
        body: { ...text('14155551234'), ...later },
        headers: { 'idempotency-key': 'k' }
      }),
    answer => answer.status !== 503
  )
  t.equal(again.status, 202, 'the refused request did not use its Idempotency-Key up')
})
