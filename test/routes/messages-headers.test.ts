import t from 'tap'
import { request } from 'undici'
import { adminKey, type Board, matonKey, startBoard } from '../helper.ts'

const to = '14155551234'
const text = (more: object = {}) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' }, ...more })
const post = (board: Board, body: unknown, headers: Record<string, string> = {}) =>
  board.call('POST', '/messages', { body, headers })

t.test('Prefer in every form: what is heeded is told, what cannot be read is no preference', async t => {
  const board = await startBoard(t)
  for (const [prefer, status, applied] of [
    ['wait=5', 201, 'wait=5'],
    ['wait="5"', 201, 'wait=5'],
    ['Wait=5', 201, 'wait=5'],
    ['return=minimal, wait=5', 201, 'wait=5'],
    ['wait=100', 201, 'wait=50'],
    ['wait=999999999', 201, undefined],
    ['wait=-1', 201, undefined],
    ['wait=soon', 201, undefined],
    ['', 201, undefined],
    ['respond-asynchronously', 201, undefined],
    ['respond-async', 202, 'respond-async'],
    ['respond-async, wait=10', 202, 'respond-async'],
    ['wait=0', 202, 'respond-async']
  ] as const) {
    const answer = await post(board, text(), { prefer })
    // delivery/messages.ts waits a millisecond and reads the row again even for wait=0, so that a fast provider makes a 201.
    t.equal(answer.status, status, `Prefer: ${prefer}`)
    t.equal(answer.headers['preference-applied'], applied, `Prefer: ${prefer}`)
    t.equal(answer.headers.location, `/messages/${answer.body.id}`)
  }
})

t.test('a request id is taken if it is one, else made; it is returned and logged', async t => {
  const board = await startBoard(t)
  for (const id of ['a', 'A.b_c-1', 'x'.repeat(128)]) {
    const answer = await board.call('GET', '/messages', { headers: { 'x-request-id': id } })
    t.equal(answer.headers['x-request-id'], id)
    t.ok(
      board.log.some(line => line.includes(`"requestId":"${id}"`)),
      'logged'
    )
  }
  for (const id of ['', 'x'.repeat(129), 'a b', 'a/b', '<script>', 'käse']) {
    const answer = await board.call('GET', '/nowhere', { headers: { 'x-request-id': id } })
    t.match(answer.headers['x-request-id'], /^req_[0-9a-f]{32}$/, JSON.stringify(id))
    t.equal(answer.body.requestId, answer.headers['x-request-id'], 'the problem names it too')
  }
  const broken = await board.call('GET', '/messages/%zz', { headers: { 'x-request-id': 'mine' } })
  t.equal(broken.headers['x-request-id'], 'mine', 'where no route was found as well')
  t.equal(broken.body.requestId, 'mine')
  const ids = new Set(
    await Promise.all(
      Array.from({ length: 50 }, async () => (await board.call('GET', '/livez')).headers['x-request-id'])
    )
  )
  t.equal(ids.size, 50, 'no two alike')
})

t.test('a trace is kept in the timeline and logged, and only where it is one', async t => {
  const board = await startBoard(t)
  const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const { body } = await post(board, text(), { traceparent: trace })
  t.equal((await board.call('GET', `/messages/${body.id}/timeline`)).body.traceparent, trace)
  t.ok(
    board.log.some(line => line.includes(`"traceparent":"${trace}"`)),
    'logged'
  )
  for (const wrong of [
    'x',
    trace.toUpperCase(),
    `00-${'g'.repeat(32)}-${'0'.repeat(16)}-01`,
    `${trace}-${'x'.repeat(300)}`
  ]) {
    const answer = await post(board, text(), { traceparent: wrong })
    t.equal(answer.status, 201, 'a broken one is no reason to refuse')
    t.equal((await board.call('GET', `/messages/${answer.body.id}/timeline`)).body.traceparent, undefined)
  }
})

/** Everything that Switchboard itself may say to a provider (P48). */
const ours = new Set([
  'host',
  'connection',
  'authorization',
  'maton-connection',
  'user-agent',
  'accept',
  'accept-encoding',
  'content-type',
  'content-length'
])
/** Names that are not ours, or values that a caller put in. */
const strange = (headers: object): string[] =>
  Object.entries(headers).flatMap(([name, value]) => (!ours.has(name) || /evil/i.test(String(value)) ? [name] : []))

t.test('no header of a caller reaches a provider, and no header of a provider reaches a caller (P48)', async t => {
  const board = await startBoard(t)
  const headers = {
    'maton-connection': 'evil-connection',
    'x-evil': 'evil',
    cookie: 'evil=1',
    'user-agent': 'evil',
    accept: 'text/evil',
    'accept-encoding': 'gzip, evil',
    'accept-language': 'evil',
    forwarded: 'for=evil',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-host': 'evil.example',
    'x-real-ip': '203.0.113.9',
    'x-request-id': 'evil-request',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    tracestate: 'evil=1',
    baggage: 'evil=1',
    'idempotency-key': 'evil',
    prefer: 'wait=10',
    origin: 'http://evil.example',
    referer: 'http://evil.example',
    'proxy-authorization': 'Basic evil',
    'x-http-method-override': 'DELETE',
    te: 'trailers'
  }
  for (const channel of ['cloud', 'wati']) {
    const answer = await post(board, text({ channel }), { ...headers, 'idempotency-key': `evil-${channel}` })
    t.equal(answer.status, 201)
    const template = { name: 'order_update', language: 'en_US', variables: ['Ada', '1'] }
    await post(
      board,
      { channel, to, type: 'template', template },
      { ...headers, 'idempotency-key': `evil-${channel}-2` }
    )
    for (const name of Object.keys(answer.headers))
      t.match(
        name,
        /^(x-request-id|server-timing|location|content-type|content-length|date|connection|keep-alive|preference-applied|x-content-type-options|cache-control)$/
      )
  }
  t.equal(board.sandbox.ledger.entries.length, 6, 'four sends, two reads of templates')
  for (const { headers: seen, operation } of board.sandbox.ledger.entries) {
    t.strictSame(strange(seen), [], operation)
    t.equal(seen.authorization, `Bearer ${matonKey}`)
    t.match(seen['maton-connection'], /^(cloud|wati)-connection$/, 'always the channel’s own connection')
    t.equal(seen.host, new URL(board.sandbox.url).host)
  }
  // CONTROL: a careless proxy, which hands the caller's headers on, is found out by the same look.
  await request(`${board.sandbox.url}/wati/api/v1/getMessageTemplates`, {
    headers: { ...headers, 'user-agent': 'switchboard', authorization: `Bearer ${matonKey}` }
  }).then(answer => answer.body.dump())
  const careless = strange(board.sandbox.ledger.entries.at(-1)!.headers)
  for (const name of ['cookie', 'x-evil', 'maton-connection', 'x-forwarded-for', 'traceparent', 'idempotency-key'])
    t.ok(careless.includes(name), `CONTROL: ${name}`)
})

t.test('a key counts only in the Authorization header', async t => {
  const board = await startBoard(t)
  for (const query of ['key', 'api_key', 'access_token', 'authorization'])
    t.equal((await board.call('GET', `/messages?${query}=${adminKey}`, { key: '' })).status, 401, query)
  for (const name of ['x-api-key', 'api-key', 'cookie', 'x-authorization'])
    t.equal((await board.call('GET', '/messages', { key: '', headers: { [name]: adminKey } })).status, 401, name)
  t.notMatch(board.log.join('\n'), adminKey, 'and what stood in a URL is not in the log')
})
