import { get } from 'node:http'
import t from 'tap'
import { calm, ended, order, phone, post, recipient, table, upload } from '../broadcasts/order.ts'
import { adminKey, type Board, startBoard, until } from '../helper.ts'

const future = (ms = 3600_000) => new Date(Date.now() + ms).toISOString()
const act = (board: Board, id: string, name: string) => calm(board, 'POST', `/broadcasts/${id}/${name}`)
const show = async (board: Board, id: string) => (await calm(board, 'GET', `/broadcasts/${id}`)).body
const reached = (board: Board): string[] =>
  board.sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries.map(({ to }) => to))
/** How many were reached, once that has not changed for a while of looks. */
const settled = async (board: Board): Promise<number> => {
  let before = -1
  let same = 0
  return until(
    () => reached(board).length,
    count => {
      same = count === before ? same + 1 : 0
      before = count
      return same >= 15
    },
    30_000
  )
}

t.test('a paused broadcast sends nothing more until it is resumed', async t => {
  const board = await startBoard(t)
  const { body } = await post(board, '', { body: order(60, { ratePerSecond: 20 }) })
  await until(
    () => reached(board).length,
    count => count >= 5
  )
  t.match(await act(board, body.id, 'pause'), { status: 200, body: { status: 'paused' } })
  const count = await settled(board)
  t.ok(count < 60, `${count} of 60`)
  t.match(await show(board, body.id), { status: 'paused', finishedAt: undefined })
  t.match(await act(board, body.id, 'pause'), { status: 409, body: { code: 'conflict', detail: /is paused/ } })
  t.match(await act(board, body.id, 'resume'), { status: 200, body: { status: 'running' } })
  t.match((await ended(board, body.id, 60_000)).body, { status: 'finished', counts: { accepted: 60 } })
  t.equal(new Set(reached(board)).size, 60)
  t.equal(reached(board).length, 60)
  for (const name of ['pause', 'resume', 'cancel', 'retry-failed'])
    t.match(await act(board, body.id, name), { status: 409, body: { code: 'conflict' } }, name)
})

t.test('one that is paused before its start is scheduled again when it is resumed', async t => {
  const board = await startBoard(t)
  const { body } = await post(board, '', { body: order(1, { startAt: future() }) })
  t.match((await act(board, body.id, 'resume')).status, 409)
  t.match((await act(board, body.id, 'pause')).body, { status: 'paused' })
  t.match((await act(board, body.id, 'resume')).body, { status: 'scheduled' })
})

t.test('of a canceled broadcast nothing more goes out, and every message says so', async t => {
  const board = await startBoard(t)
  const { body } = await upload(board, table(1100), '', { fields: { ratePerSecond: '20' } })
  await until(
    () => reached(board).length,
    count => count >= 3
  )
  t.match(await act(board, body.id, 'cancel'), { status: 200, body: { status: 'canceled' } })
  const after = await ended(board, body.id)
  const { counts } = after.body
  t.match(after.body, { status: 'canceled', counts: { queued: 0, sending: 0, failed: 0 } })
  t.equal(counts.canceled + counts.accepted, 1100)
  t.equal(await settled(board), counts.accepted)
  t.ok(counts.accepted < 60, `${counts.accepted} went out`)
  const { items } = (await calm(board, 'GET', `/broadcasts/${body.id}/messages?status=canceled&limit=1`)).body
  const timeline = await calm(board, 'GET', `/messages/${items[0].id}/timeline`)
  t.match(timeline.body.items.at(-1), { status: 'canceled', detail: 'its broadcast was canceled' })
  for (const name of ['pause', 'resume', 'cancel', 'retry-failed'])
    t.match(await act(board, body.id, name), { status: 409, body: { code: 'conflict' } }, name)
})

t.test('retry-failed sends again what failed for certain, and never what may have arrived', async t => {
  const board = await startBoard(t)
  const away = { ...recipient(1), to: '15550100001' }
  const lost = { ...recipient(2), to: '15550100009' }
  const made = await post(board, '', { body: order(0, { recipients: [away, lost, recipient(3)] }) })
  const before = await ended(board, made.body.id)
  t.match(before.body, { status: 'finished', counts: { failed: 1, unknown: 1, accepted: 1 } })
  const tries = (to: string) =>
    board.sandbox.ledger.entries.filter(({ body }) => (body as { to?: string } | undefined)?.to === `+${to}`).length
  const [ofLost, ofAway] = [tries('15550100009'), tries('15550100001')]
  t.equal(ofAway, 1)
  t.match((await act(board, made.body.id, 'retry-failed')).body, { status: 'running', counts: { unknown: 1 } })
  const after = await until(
    () => show(board, made.body.id),
    ({ status, counts }) => status === 'finished' && counts.failed === 1
  )
  t.match(after, { counts: { failed: 1, unknown: 1, accepted: 1 } })
  t.strictSame([tries('15550100001'), tries('15550100009'), tries(phone(3))], [2, ofLost, 1])
  const { items } = (await calm(board, 'GET', `/broadcasts/${made.body.id}/messages?status=failed`)).body
  const timeline = await calm(board, 'GET', `/messages/${items[0].id}/timeline`)
  t.ok(timeline.body.items.some(({ detail = '' }) => /sent again: key_admin|sent again/.test(detail)))
  t.equal(items[0].attempts, 2)
})

interface Event {
  event: string
  data: Record<string, unknown> & { status: string; counts: Record<string, number> }
}
/** Reads a stream of events to its end, or until it is told to leave. */
function listen(board: Board, id: string): { events: Event[]; over: Promise<void>; leave: () => void } {
  const events: Event[] = []
  let text = ''
  let leave = () => {}
  const over = new Promise<void>((resolve, reject) => {
    const headers = { authorization: `Bearer ${adminKey}` }
    const request = get(`${board.url}/broadcasts/${id}/events`, { headers, agent: false }, answer => {
      answer.setEncoding('utf8')
      answer.on('data', chunk => {
        text += chunk
        for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
          const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, at)) ?? []
          text = text.slice(at + 2)
          if (event) events.push({ event, data: JSON.parse(data!) })
        }
      })
      answer.on('end', resolve)
      answer.on('error', () => resolve())
    })
    request.on('error', reject)
    leave = () => request.destroy()
  })
  over.catch(() => {})
  return { events, over, leave: () => leave() }
}

t.test('the events tell the progress at least once a second, and end with how it ended', async t => {
  const board = await startBoard(t)
  const { body } = await post(board, '', { body: order(40, { ratePerSecond: 15 }) })
  const watchers = Array.from({ length: 5 }, () => listen(board, body.id))
  await Promise.all(watchers.map(({ over }) => over))
  for (const { events } of watchers) {
    t.ok(events.length >= 3, `${events.length} events`)
    t.strictSame(
      events.map(({ event }) => event),
      [...Array.from({ length: events.length - 1 }, () => 'progress'), 'end']
    )
    t.match(events.at(-1)!.data, { status: 'finished', counts: { accepted: 40, queued: 0 } })
    const counts = events.map(({ data }) => data.counts.accepted!)
    t.strictSame(
      counts,
      [...counts].sort((a, b) => a - b)
    )
    const between = events.find(({ data }) => data.counts.accepted! > 0 && data.status === 'running')
    t.ok((between?.data.perSecond as number) > 0, 'a pace')
    t.ok((between?.data.etaSeconds as number) > 0, 'and what is left of it')
  }
  const late = listen(board, body.id)
  await late.over
  t.match(late.events, [{ event: 'end', data: { status: 'finished' } }])
  t.equal(late.events.length, 1)
})

t.test('a watcher that goes away is let go, and a shutdown ends the streams of the others', async t => {
  const board = await startBoard(t)
  const { body } = await post(board, '', { body: order(1, { startAt: future() }) })
  const [one, two] = [listen(board, body.id), listen(board, body.id)]
  for (const { events } of [one, two])
    await until(
      () => events.length,
      count => count > 0
    )
  const connections = () =>
    new Promise<number>((resolve, reject) =>
      board.board.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    )
  const before = await connections()
  one.leave()
  await until(connections, count => count < before)
  const began = performance.now()
  await Promise.all([board.close(), two.over])
  t.ok(performance.now() - began < 5000, 'at once')
  t.equal(two.events.at(-1)?.event, 'progress', 'it had not ended')
})
