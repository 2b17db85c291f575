import t from 'tap'
import { request } from 'undici'
import { nextLimit } from '../../src/http/overload.ts'
import { startBoard, until } from '../helper.ts'

// What is too much is refused before anything is done for it (docs/reliability.md P23, T33, T34).

const text = (to: string) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const later = { sendAt: new Date(Date.now() + 3600_000).toISOString() }

/** Holds the event loop up, as too much work would. */
async function lag(times: number): Promise<void> {
  for (; times > 0; times--) {
    for (const end = performance.now() + 100; performance.now() < end; );
    // For the look at it, which comes by the clock.
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

t.test('with too much in hand requests are refused with Retry-After; health and metrics are answered', async t => {
  const board = await startBoard(t, { env: { UPSTREAM_TIMEOUT_MS: '8000' } })
  const key = await board.key()
  const send = (to: string) => board.call('POST', '/messages', { key, body: text(to) })
  const ask = () => board.call('GET', '/keys/self', { key })
  await lag(15)
  t.equal((await ask()).status, 200, 'CONTROL: lateness with little in hand is no overload')

  // The provider answers none of these within its eight seconds.
  let arrived = 0
  const arrive = () => void arrived++
  board.board.app.server.on('request', arrive)
  const slow = Array.from({ length: 150 }, () => send('15550100008'))
  await until(
    () => arrived,
    count => count >= 150
  )
  board.board.app.server.off('request', arrive)
  await until(
    () => board.sandbox.ledger.entries.length,
    count => count >= 20
  )
  t.equal((await ask()).status, 200, 'CONTROL: much in hand without lateness is none either')
  const refused = await until(
    async () => {
      await lag(15)
      const [livez, readyz, metrics, answer] = await Promise.all([
        ...['/livez', '/readyz', '/metrics'].map(path => board.call('GET', path, { key: '' })),
        ask()
      ])
      t.strictSame([livez!.status, readyz!.status, metrics!.status], [200, 200, 200])
      return answer!
    },
    answer => answer.status === 503
  )
  t.match(refused.body, { code: 'overloaded', outcome: 'not_sent', retryable: true, retryAfterSeconds: 1 })
  t.equal(refused.headers['retry-after'], '1')
  t.ok(refused.headers['x-request-id'])
  const taken = (await Promise.all(slow)).filter(({ status }) => status === 202).length
  t.equal(taken, 150, 'what was let in before is seen through')
  await until(ask, answer => answer.status === 200)
})

t.test('a caller who goes away takes no room with him', async t => {
  const board = await startBoard(t)
  const key = await board.key()
  for (let round = 0; round < 3; round++) {
    const gone = new AbortController()
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const options = { method: 'POST', headers, signal: gone.signal, body: JSON.stringify(text('15550100007')) } as const
    const calls = Array.from({ length: 140 }, () => request(`${board.url}/messages`, options).catch(() => {}))
    const before = board.sandbox.ledger.entries.length
    await until(
      () => board.sandbox.ledger.entries.length,
      count => count >= before + 10
    )
    gone.abort()
    await Promise.all(calls)
  }
  await lag(15)
  t.equal((await board.call('GET', '/keys/self', { key })).status, 200, 'were they counted, this would be refused')
})

t.test('the limit closes in while the loop is late, never on a few, and opens again', async t => {
  const none = Number.POSITIVE_INFINITY
  t.equal(nextLimit(none, 5000, false), none)
  t.equal(nextLimit(none, 1000, true), 800)
  t.equal(nextLimit(800, 1000, true), 680)
  let limit = none
  for (let n = 0; n < 100; n++) limit = nextLimit(limit, 1000, true)
  t.equal(limit, 128)
  for (let n = 0; n < 20; n++) limit = nextLimit(limit, limit, false)
  t.ok(limit > 256 && limit < 1000, `half a second later ${Math.round(limit)}`)
  for (let n = 0; n < 200; n++) limit = nextLimit(limit, 100, false)
  t.equal(limit, none)
})

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
