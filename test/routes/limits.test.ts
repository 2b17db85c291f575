import t from 'tap'
import { order } from '../broadcasts/order.ts'
import { type Board, startBoard, until } from '../helper.ts'

const make = async (board: Board, input: object) =>
  (
    await board.call('POST', '/keys', {
      body: {
        service: 'billing',
        mode: 'live',
        scopes: ['messages:send', 'messages:read', 'broadcasts:write', 'broadcasts:read'],
        ...input
      }
    })
  ).body as { id: string; secret: string }
/** A time zone where it is about noon, so that no day ends while the tests run. */
const hour = new Date().getUTCHours()
const timeZone = `Etc/GMT${hour < 12 ? '' : '+'}${hour - 12}`
const message = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } }
const send = (board: Board, key: string, body: object = message, headers: Record<string, string> = {}) =>
  board.call('POST', '/messages', { key, body, headers })
const self = (board: Board, key: string) => board.call('GET', '/keys/self', { key })
const left = (answer: { headers: Record<string, unknown> }, policy: string) =>
  Number(new RegExp(`"${policy}";r=(\\d+);t=\\d+`).exec(String(answer.headers.ratelimit))?.[1])

t.test('a key is let in as often as its rateLimit says, and is told how it stands', async t => {
  const board = await startBoard(t)
  const { secret, id } = await make(board, { rateLimit: { perSecond: 0.01, burst: 5 } })
  const answers = []
  for (let i = 0; i < 5; i++) answers.push(await self(board, secret))
  t.strictSame(
    answers.map(answer => [answer.status, left(answer, 'rate')]),
    [4, 3, 2, 1, 0].map(each => [200, each])
  )
  t.equal(answers[0]!.headers['ratelimit-policy'], '"rate";q=5;w=500')
  t.match(String(answers[4]!.headers.ratelimit), /^"rate";r=0;t=(499|500)$/)
  const refused = await self(board, secret)
  t.match(refused, { status: 429, body: { code: 'rate_limited', outcome: 'not_sent', retryable: true } })
  t.match(refused.body.detail, /0\.01 requests a second, and 5 at once/)
  t.match(refused.headers['retry-after'], /^(9\d|100)$/)
  t.match(refused.headers.ratelimit, /"rate";r=0/)
  t.equal((await send(board, secret)).status, 429, 'whatever it asks for')
  t.equal((await board.call('GET', '/channels', { key: secret })).status, 429, 'also what it may not do')
  const free = await self(board, (await make(board, {})).secret)
  t.equal(
    free.headers.ratelimit ?? free.headers['ratelimit-policy'],
    undefined,
    'CONTROL: a key without limits is told of none'
  )

  await board.call('PATCH', `/keys/${id}`, { body: { rateLimit: { perSecond: 1000, burst: 5 } } })
  t.equal((await self(board, secret)).status, 200, 'a higher one holds at once')
  t.match((await board.call('PATCH', `/keys/${id}`, { body: { rateLimit: null } })).body, { rateLimit: null })
  t.equal((await self(board, secret)).headers.ratelimit, undefined, 'null takes it away')
})

t.test(
  'a day has as many requests as the quota says; what is refused and what is answered again counts nothing',
  async t => {
    const board = await startBoard(t)
    const { secret, id } = await make(board, { quota: { perDay: 4, timeZone } })
    const first = await send(board, secret, message, { 'idempotency-key': 'a' })
    t.equal(first.status, 201)
    t.equal(first.headers['ratelimit-policy'], '"quota";q=4;w=86400')
    t.equal(left(first, 'quota'), 3)
    for (let i = 0; i < 6; i++) {
      const again = await send(board, secret, message, { 'idempotency-key': 'a' })
      t.equal(again.headers['idempotency-replayed'], 'true')
      t.equal(left(again, 'quota'), 3)
      t.equal(left(await send(board, secret, { ...message, to: 'nobody' }), 'quota'), 3, 'a 400')
      t.equal(left(await send(board, secret, { ...message, channel: 'none' }), 'quota'), 3, 'a 404')
      t.equal(left(await board.call('GET', '/channels', { key: secret }), 'quota'), 3, 'a 403')
    }
    const rotated = await board.call('POST', `/keys/${id}/rotate`)
    t.equal(left(await send(board, rotated.body.secret), 'quota'), 2, 'both secrets are one key')
    t.equal(left(await send(board, secret), 'quota'), 1)
    t.equal(left(await send(board, secret), 'quota'), 0)
    const refused = await send(board, secret)
    t.match(refused, { status: 429, body: { code: 'rate_limited' } })
    t.match(refused.body.detail, /4 requests a day .*Etc\/GMT.* begins at \d{4}-\d\d-\d\dT\d\d:00:00Z/)
    const ends = new Date(Date.now() + 1000 * Number(refused.headers['retry-after']))
    const there = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(ends)
    t.match(there, /^00:00:0[0-5]$/, 'when the day begins there')
    t.equal((await send(board, rotated.body.secret)).status, 429, 'a rotation begins no other day')

    await board.call('PATCH', `/keys/${id}`, { body: { quota: { perDay: 5, timeZone } } })
    t.equal((await send(board, secret)).status, 201, 'one more')
    t.equal((await send(board, secret)).status, 429)
    await board.call('PATCH', `/keys/${id}`, { body: { quota: { perDay: 3, timeZone } } })
    t.equal((await send(board, secret)).status, 429, 'a lower one: what was used stays used')
    await board.call('PATCH', `/keys/${id}`, { body: { quota: null } })
    t.equal((await send(board, secret)).status, 201)
  }
)

t.test('a refused request has done nothing: its body is not read', async t => {
  const board = await startBoard(t)
  const { secret } = await make(board, { quota: { perDay: 1, timeZone } })
  await self(board, secret)
  const calls = board.sandbox.ledger.entries.length
  const before = (await board.call('GET', '/messages')).body.items.length
  t.equal(
    (
      await board.call('POST', '/messages', {
        key: secret,
        body: '{"not json',
        headers: { 'content-type': 'application/json' }
      })
    ).status,
    429
  )
  t.equal((await board.call('POST', '/nowhere', { key: secret, body: message })).status, 404)
  t.equal(board.sandbox.ledger.entries.length, calls)
  t.equal((await board.call('GET', '/messages')).body.items.length, before)
})

t.test('a broadcast counts its recipients when it is accepted, and one that is refused counts nothing', async t => {
  const board = await startBoard(t)
  const { secret } = await make(board, { quota: { perDay: 700, timeZone } })
  const launch = (count: number, more: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
    board.call('POST', '/broadcasts', { key: secret, body: order(count, more), headers })
  const first = await launch(100, {}, { 'idempotency-key': 'b' })
  t.equal(first.status, 202)
  t.equal(left(first, 'quota'), 600)
  t.equal(left(await launch(100, {}, { 'idempotency-key': 'b' }), 'quota'), 600, 'again: the same one')
  const refused = await launch(601)
  t.match(refused, { status: 429, body: { code: 'rate_limited', detail: /601 recipients, and 600 of the 700 a day/ } })
  t.equal(left(await launch(50, { channel: 'none' }), 'quota'), 600)
  t.equal((await board.call('GET', '/broadcasts', { key: secret })).body.items.length, 1)
  t.equal(left(await launch(598), 'quota'), 1, 'the list counted one too')
  t.equal((await launch(2)).status, 429)
  t.equal((await launch(1)).status, 202)
  t.equal((await self(board, secret)).status, 429)
})

t.test('a limit is of its key alone, and survives a restart', async t => {
  const board = await startBoard(t)
  const input = { quota: { perDay: 2, timeZone }, rateLimit: { perSecond: 0.01, burst: 3 } }
  const keys = [await make(board, input), await make(board, { ...input, mode: 'test', scopes: ['messages:read'] })]
  for (const { secret } of keys)
    for (const status of [200, 200, 429]) t.equal((await self(board, secret)).status, status)
  await board.close()
  const again = await startBoard(t, { directory: board.directory, sandbox: board.sandbox })
  for (const { secret } of keys) t.equal((await self(again, secret)).status, 429)
})

t.test('what limits may not be is named', async t => {
  const board = await startBoard(t)
  const refused = async (body: object, path: string) => {
    const made = await board.call('POST', '/keys', {
      body: { service: 'x', mode: 'live', scopes: ['messages:read'], ...body }
    })
    t.match(made, { status: 400, body: { errors: [{ path }] } })
  }
  await refused({ rateLimit: { perSecond: 0, burst: 1 } }, '/rateLimit/perSecond')
  await refused({ rateLimit: { perSecond: 1 } }, '/rateLimit/burst')
  await refused({ rateLimit: { perSecond: 1, burst: 0.5 } }, '/rateLimit/burst')
  await refused({ quota: { perDay: 0 } }, '/quota/perDay')
  await refused({ quota: {} }, '/quota/perDay')
  for (const zone of ['Mars/Base', '+02:00', 'Europe/Berlin\u0000', ''])
    await refused({ quota: { perDay: 1, timeZone: zone } }, '/quota/timeZone')
  const { id } = await make(board, {})
  t.match(await board.call('PATCH', `/keys/${id}`, { body: { quota: { perDay: 1, timeZone: 'Mars' } } }), {
    status: 400
  })
  const made = await make(board, { rateLimit: { perSecond: 0.5, burst: 1 }, quota: { perDay: 9, timeZone: 'UTC' } })
  t.match(made, { rateLimit: { perSecond: 0.5, burst: 1 }, quota: { perDay: 9, timeZone: 'UTC' } })
})

t.test('what is not used goes back', async t => {
  const board = await startBoard(t)
  const { secret } = await make(board, { quota: { perDay: 2000, timeZone } })
  for (let i = 0; i < 12; i++) await self(board, secret)
  const used = async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const db = new DatabaseSync(`${board.directory}/switchboard.db`, { readOnly: true })
    const row = db.prepare('select used from key_limits').get() as { used: number }
    db.close()
    return row.used
  }
  t.equal(await until(used, count => count === 12), 12)
})
