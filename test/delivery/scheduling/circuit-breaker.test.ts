import t from 'tap'
import { adapters } from '../../../src/adapters/index.ts'
import { type Board, startBoard, until } from '../../helper.ts'

// Each has a board of its own and waits for most of its time: they wait together.
t.jobs = 4
const aside = { buffered: true }

const text = (channel: string, to: number) => ({
  channel,
  to: `4917${String(to).padStart(8, '0')}`,
  type: 'text',
  text: { body: 'Hello' }
})
const health = async (board: Board, channel: string) => (await board.call('GET', `/channels/${channel}/health`)).body
const seen = (board: Board, operation: string) =>
  board.sandbox.ledger.entries.filter(entry => entry.operation === operation).length

t.test('a channel that gives no answers is stopped, asked by a read, and goes on when it answers', aside, async t => {
  const board = await startBoard(t)
  board.sandbox.force({ operation: 'cloud.*', fault: 'reset_after', times: 21 })
  const lost = await Promise.all(
    Array.from({ length: 20 }, (_, i) => board.call('POST', '/messages', { body: text('cloud', i) }))
  )
  t.same(
    lost.filter(({ body }) => body.status !== 'unknown'),
    []
  )
  await until(
    () => health(board, 'cloud'),
    ({ breaker }) => breaker.state === 'open'
  )
  const held = await board.call('POST', '/messages', { body: text('cloud', 50) })
  t.equal(held.status, 202, 'accepting goes on')
  t.equal(held.body.status, 'queued')
  t.equal(seen(board, 'cloud.sendMessage'), 20, 'no customer’s message is what finds out')
  const read = await board.call('GET', '/channels/cloud/profile')
  t.equal(read.status, 503, 'a read is told at once')
  t.equal(read.body.code, 'provider_unavailable')
  t.equal((await board.call('POST', '/messages', { body: text('wati', 1) })).status, 201, 'other channels go on')
  const done = await until(
    async () => (await board.call('GET', `/messages/${held.body.id}`)).body,
    ({ status }) => status === 'accepted'
  )
  t.equal(done.attempts, 1)
  t.equal(seen(board, 'cloud.getPhoneNumber'), 2, 'one read that got no answer, and one that did')
  t.equal((await health(board, 'cloud')).breaker.state, 'closed')
})

t.test('refusals do not open it, nor do a few failures among answers', aside, async t => {
  const board = await startBoard(t)
  const to = (n: number) => (n % 3 === 0 ? 15550100009 : n % 3 === 1 ? 15550100001 : 14155550000 + n)
  await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      board.call('POST', '/messages', { body: { ...text('cloud', 0), to: String(to(i)) } })
    )
  )
  t.equal((await health(board, 'cloud')).breaker.state, 'closed')
  t.equal((await board.call('POST', '/messages', { body: text('cloud', 1) })).status, 201)
})

t.test('a provider that hangs under a full queue makes no more unknown than are in hand', aside, async t => {
  const board = await startBoard(t, { env: { UPSTREAM_TIMEOUT_MS: '1500', MATON_RATE_PER_SECOND: '100' } })
  board.sandbox.force({ operation: 'cloud.*', fault: 'silent', times: 1000 })
  const made = await Promise.all(
    Array.from({ length: 80 }, (_, i) =>
      board.call('POST', '/messages', { body: text('cloud', i), headers: { prefer: 'respond-async' } })
    )
  )
  await until(
    () => health(board, 'cloud'),
    ({ breaker }) => breaker.state === 'open'
  )
  const states = await until(
    () => Promise.all(made.map(async ({ body }) => (await board.call('GET', `/messages/${body.id}`)).body.status)),
    all => all.every(status => status === 'queued' || status === 'unknown')
  )
  const unknown = states.filter(status => status === 'unknown').length
  t.ok(unknown >= 20 && unknown <= 40, `${unknown} unknown, ${80 - unknown} queued`)
})

t.test('where a provider has no cheap read, one message at a time tries whether it answers again', aside, async t => {
  const { probe: _, ...mute } = adapters.get('whatsapp-cloud')!
  const board = await startBoard(t, {
    adapters: new Map([...adapters, ['whatsapp-cloud', mute]]),
    env: { MATON_RATE_PER_SECOND: '100' }
  })
  board.sandbox.force({ operation: 'cloud.sendMessage', fault: 'reset_after', times: 21 })
  await Promise.all(Array.from({ length: 20 }, (_, i) => board.call('POST', '/messages', { body: text('cloud', i) })))
  await until(
    () => health(board, 'cloud'),
    ({ breaker }) => breaker.state === 'open'
  )
  const waiting = await Promise.all(
    Array.from({ length: 6 }, (_, i) => board.call('POST', '/messages', { body: text('cloud', 60 + i) }))
  )
  t.ok(
    waiting.every(({ body }) => body.status === 'queued'),
    'nothing goes out while it is open'
  )
  const now = () =>
    Promise.all(
      waiting.map(async ({ body }) => (await board.call('GET', `/messages/${body.id}`)).body.status as string)
    )
  const firstTrial = await until(now, all => all.some(status => status === 'unknown'))
  t.equal(firstTrial.filter(status => status === 'queued').length, 5, 'one message alone found out that it does not')
  const ended = await until(now, all => !all.includes('queued') && !all.includes('sending'))
  t.same(ended.toSorted(), ['accepted', 'accepted', 'accepted', 'accepted', 'accepted', 'unknown'])
  t.equal((await health(board, 'cloud')).breaker.state, 'closed')
})
