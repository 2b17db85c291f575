import t from 'tap'
import { patient } from '../../held.ts'
import { type Board, startBoard, until } from '../../helper.ts'
import { departures, mostInASecond } from './departures.ts'

// The account's limit is held against the moments at which calls leave. How much of it is used is no matter here, nor what a
// stand-in that refuses the eleventh says of processes of their own: `rate-limiter-replicas.long.test.ts` looks at both.

const paced = { MATON_RATE_PER_SECOND: '10' }
const text = (channel: string, to: number, more = {}) => ({
  channel,
  to: `4917${String(to).padStart(8, '0')}`,
  type: 'text',
  text: { body: `n${to}` },
  ...more
})
const later = { headers: { prefer: 'respond-async' } }
const arrivals = (board: Board) => board.sandbox.ledger.entries
const sentTo = (board: Board) => board.sandbox.ledger.sends().map(entry => entry.to!)
const settled = (board: Board, count: number) =>
  until(
    () => sentTo(board).length,
    sent => sent >= count,
    180_000
  )

t.test('a burst goes out as fast as the account may, and never faster; each message once', async t => {
  const board = await startBoard(t, { env: { ...paced, ...patient } })
  const left = departures(t, board.sandbox)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      board.call('POST', '/messages', { body: text(i % 2 ? 'wati' : 'cloud', i), headers: { prefer: 'wait=60' } })
    )
  )
  // On a busy machine slots go by unused, and the wait of the last ones ends before their turn.
  await settled(board, 50)
  t.same(
    answers
      .map(({ status, body }) => `${status} ${body.status}`)
      .filter(each => !/^201|^202 (queued|sending)/.test(each)),
    []
  )
  t.equal(answers[0]!.status, 201, 'it was waited for')
  t.equal(new Set(sentTo(board)).size, 50)
  t.equal(sentTo(board).length, 50, 'none was sent twice')
  t.equal(left.length, 50)
  t.ok(mostInASecond(left) <= 10, `${mostInASecond(left)} in a second at most`)
  const waited = answers.map(({ headers }) => Number(/queue;dur=([\d.]+)/.exec(String(headers['server-timing']))?.[1]))
  const [least, most] = [Math.min(...waited), Math.max(...waited)]
  t.ok(most - least > 2000, `Server-Timing tells who waited for a turn: ${least} to ${most} ms`)
})

t.test('control: without a pace more of the same burst leave in a second', async t => {
  const board = await startBoard(t)
  const left = departures(t, board.sandbox)
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => board.call('POST', '/messages', { body: text('cloud', i), ...later }))
  )
  await settled(board, 50)
  t.ok(mostInASecond(left) > 10, `${mostInASecond(left)}`)
})

t.test('reads, sends and native calls share the one limit', async t => {
  const board = await startBoard(t, { env: { ...paced, ...patient } })
  const left = departures(t, board.sandbox)
  const calls = Array.from({ length: 24 }, (_, i) =>
    [
      () => board.call('GET', '/templates?channel=cloud'),
      () => board.call('POST', '/messages', { body: text('cloud', i) }),
      () => board.call('GET', '/channels/cloud/native/v24.0/106540352242922'),
      () => board.call('GET', '/connections')
    ][i % 4]!()
  )
  t.same(
    (await Promise.all(calls)).map(({ status }) => status).filter(status => status > 201),
    []
  )
  t.equal(arrivals(board).length, 24)
  t.equal(left.length, 24)
  t.ok(mostInASecond(left) <= 10, `${mostInASecond(left)} in a second at most`)
})

t.test('slots go round between services: a few messages do not wait behind another’s many', async t => {
  const board = await startBoard(t, { env: paced })
  const [one, two] = [await board.key({ service: 'one' }), await board.key({ service: 'two' })]
  // All of it waits before any of it goes: how fast this machine takes it says nothing.
  await board.call('POST', '/channels/cloud/pause')
  const many = Array.from({ length: 40 }, (_, i) =>
    board.call('POST', '/messages', { body: text('cloud', i), key: one, ...later })
  )
  await Promise.all(many)
  const few = [901, 902, 903].map(to =>
    board.call('POST', '/messages', { body: text('cloud', to), key: two, ...later })
  )
  await Promise.all(few)
  await board.call('POST', '/channels/cloud/resume')
  await settled(board, 43)
  const places = sentTo(board).flatMap((to, place) => (/90[123]$/.test(to) ? [place] : []))
  t.equal(places.length, 3)
  t.ok(Math.max(...places) <= 10, `they went as number ${places} of all`)
})

t.test('messages to one person that waited go out in the order in which they were accepted', async t => {
  for (const env of [paced, {}]) {
    const board = await startBoard(t, { env })
    const left = departures(t, board.sandbox)
    await board.call('POST', '/channels/cloud/pause')
    const ids: string[] = []
    for (let i = 0; i < 20; i++) {
      const body = { ...text('cloud', 7), text: { body: `part ${i}` }, reference: `r${i}` }
      ids.push((await board.call('POST', '/messages', { body, ...later })).body.id)
    }
    await board.call('POST', '/channels/cloud/resume')
    await settled(board, 20)
    // One that takes longer than the others wait for it is passed, and that is told.
    const passed = (id: string) => board.log.some(line => line.includes(id) && line.includes('pass it'))
    const kept = ids.filter(id => !passed(id))
    const begun: string[] = []
    for (const id of kept) {
      const { items } = (await board.call('GET', `/messages/${id}/timeline`)).body
      begun.push(items.findLast(({ status }: { status: string }) => status === 'sending').at)
    }
    t.strictSame(begun, [...begun].sort(), 'begun one after another')
    // Without a pace they are on their way together, and nothing but what they begin with has an order.
    if (env !== paced) continue
    const idOf = ({ body }: { body: string }) => ids[Number(/part (\d+)/.exec(body)?.[1])]!
    t.strictSame(
      left.map(idOf).filter(id => !passed(id)),
      kept
    )
  }
})

t.test('Retry-After is law, paced or not: nothing that it concerns goes out before it has passed', async t => {
  for (const [env, fault, scope] of [
    [paced, 'maton_throttled', 'account'],
    [{}, 'throttled_once', 'channel']
  ] as const) {
    const board = await startBoard(t, { env })
    board.sandbox.force({ operation: 'cloud.sendMessage', fault })
    const first = await board.call('POST', '/messages', { body: text('cloud', 1), ...later })
    t.equal(first.status, 202)
    // On a busy machine it may go back to the queue before, because its turn has passed.
    await until(
      async () => JSON.stringify((await board.call('GET', `/messages/${first.body.id}/timeline`)).body.items),
      told => told.includes('rate limit')
    )
    t.equal(arrivals(board)[0]!.status, 429)
    const others = [
      board.call('POST', '/messages', { body: text('cloud', 3) }),
      board.call('GET', '/channels/cloud/profile'),
      board.call('POST', '/messages', { body: text('wati', 2) })
    ]
    t.same(
      (await Promise.all(others)).map(({ status }) => status),
      [201, 200, 201]
    )
    const concerned = arrivals(board).filter(({ operation }) => scope === 'account' || operation.startsWith('cloud'))
    const next = Date.parse(concerned[1]!.at) - Date.parse(concerned[0]!.at)
    t.ok(next >= 950, `the next call came ${next} ms later`)
    if (scope === 'channel') t.equal(arrivals(board)[1]!.operation.split('.')[0], 'wati', 'others go on meanwhile')
    await board.close()
  }
})

t.test('a paused channel hands nothing over, accepts all the same, and goes on where it was', async t => {
  const board = await startBoard(t)
  t.match((await board.call('POST', '/channels/cloud/pause')).body, { id: 'cloud', paused: true })
  const held = await board.call('POST', '/messages', { body: text('cloud', 1) })
  t.equal(held.status, 202)
  t.equal(held.body.status, 'queued')
  t.equal((await board.call('POST', '/messages', { body: text('wati', 2) })).status, 201, 'other channels go on')
  t.match((await board.call('GET', '/channels/cloud/health')).body, { paused: true })
  const dry = await board.call('POST', '/messages/validate', { body: text('cloud', 3) })
  t.equal(dry.body.expectedWaitSeconds, null)
  t.equal(
    (await board.call('POST', '/channels/cloud/native/v24.0/106540352242922/messages', { body: {} })).status,
    409,
    'nor past it'
  )
  t.same(sentTo(board), [text('wati', 2).to])
  t.match((await board.call('POST', '/channels/cloud/resume')).body, { paused: false })
  await settled(board, 2)
  await until(
    async () => (await board.call('GET', `/messages/${held.body.id}`)).body.status,
    status => status === 'accepted'
  )
  const { items } = (await board.call('GET', '/audit')).body
  t.match(
    items.map(({ action }: { action: string }) => action),
    ['channel.resumed', 'channel.paused']
  )
})
