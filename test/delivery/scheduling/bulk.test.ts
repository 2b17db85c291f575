import t from 'tap'
import { type Board, startBoard, until } from '../../helper.ts'
import { departures } from './departures.ts'

// What a broadcast does to everything else.

const paced = { MATON_RATE_PER_SECOND: '10' }
const people = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    to: `4915${String(from + i).padStart(8, '0')}`,
    variables: { name: 'Ada', ordernumber: String(i) }
  }))
const begin = async (board: Board, channel: string, count: number, more = {}) => {
  const template = { name: 'order_update', language: 'en_US' }
  const made = await board.call('POST', '/broadcasts', {
    body: { channel, name: 'News', template, recipients: people(count), ...more }
  })
  if (made.status !== 202) throw new Error(made.text)
  return made.body.id as string
}
const text = (to: number) => ({ channel: 'cloud', to: String(to), type: 'text', text: { body: 'Hello' } })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(({ kind }) => kind === 'send')
const progress = async (board: Board, id: string) => (await board.call('GET', `/broadcasts/${id}`)).body

t.test('while a broadcast runs a message goes out next, and after a cancel only what was under way', async t => {
  const board = await startBoard(t, { env: paced })
  const id = await begin(board, 'cloud', 80)
  await until(
    () => sends(board).length,
    count => count >= 5
  )
  for (const to of [14155550001, 14155550002, 14155550003]) {
    const before = sends(board).length
    t.equal((await board.call('POST', '/messages', { body: text(to) })).status, 201)
    const place = sends(board).findIndex(entry => entry.to === String(to)) - before
    t.ok(place <= 3, `${place} of the broadcast went before it`)
  }
  const canceled = await board.call('POST', `/broadcasts/${id}/cancel`)
  t.match(canceled.body, { status: 'canceled' })
  const gone = sends(board).length
  const end = await until(
    () => progress(board, id),
    ({ counts }) => counts.queued === 0 && counts.sending === 0
  )
  t.ok(sends(board).length - gone <= 3, `${sends(board).length - gone} went out after the cancel`)
  t.equal(end.counts.canceled + end.counts.accepted, 80)
  t.equal(new Set(sends(board).map(({ to }) => to)).size, sends(board).length, 'nobody twice')
})

t.test('messages without end do not keep a broadcast from its tenth of the turns', async t => {
  const board = await startBoard(t, { env: paced })
  const id = await begin(board, 'cloud', 20)
  let stop = false
  let asked = 0
  const callers = Array.from({ length: 12 }, async () => {
    while (!stop) await board.call('POST', '/messages', { body: text(14155560000 + asked++) })
  })
  await until(
    () => sends(board).length,
    count => count >= 60
  )
  stop = true
  const bulk = sends(board)
    .slice(0, 60)
    .filter(({ to }) => to?.startsWith('4915')).length
  t.ok(bulk >= 5, `${bulk} of 60 were the broadcast’s`)
  t.ok(bulk <= 20)
  await board.call('POST', `/broadcasts/${id}/cancel`)
  await Promise.all(callers)
})

t.test(
  'through WATI many go in one call, each with an end of its own; a lost answer leaves its call unknown',
  async t => {
    const board = await startBoard(t, { env: paced })
    const recipients = people(600)
    recipients[3]!.to = '15550100001'
    const template = { name: 'order_update', language: 'en_US' }
    board.sandbox.force({ operation: 'wati.sendTemplateMessagesV2', fault: 'reset_after' })
    const made = await board.call('POST', '/broadcasts', {
      body: { channel: 'wati', name: 'News', template, recipients }
    })
    t.equal(made.status, 202, made.text.slice(0, 300))
    const end = await until(
      () => progress(board, made.body.id),
      ({ status }) => status === 'finished'
    )
    const calls = sends(board).map(({ body }) => (body as { receivers: unknown[] }).receivers.length)
    // The first of them may go together, and then the network has no order.
    t.same(
      calls.toSorted((one, other) => other - one),
      [250, 250, 100]
    )
    const { unknown, accepted, failed } = end.counts
    // Whichever call came first was lost; the one whom WATI refuses was in it, or is the only one that failed.
    t.ok(failed <= 1, `${failed} failed`)
    t.match({ unknown, accepted }, { unknown: calls[0], accepted: 600 - calls[0]! - failed })
  }
)

t.test('a broadcast keeps to its own rate, also where nothing else is paced', async t => {
  const board = await startBoard(t)
  const left = departures(t, board.sandbox)
  await begin(board, 'cloud', 12, { ratePerSecond: 5 })
  await until(
    () => sends(board).length,
    count => count === 12
  )
  const [first, last] = [left.at(-12)!, left.at(-1)!]
  // On a busy machine the first leaves late, and the last need not.
  t.ok(last.at - first.at >= 11 * 200 - 1000, `${last.at - first.at} ms for twelve at five a second`)
})
