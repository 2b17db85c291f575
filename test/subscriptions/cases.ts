import type { Test } from 'tap'
import { until } from '../until.ts'
import { type Posted, type Receiver, receive, verify } from './receiver.ts'
import { type Bench, type BenchOptions, bench, shop } from './room.ts'

// What must hold on both stores.

const hour = 3600_000
const count =
  (receiver: Receiver) =>
  (wanted: number): Promise<number> =>
    until(
      () => receiver.posted.length,
      now => now >= wanted
    )
const numbers = (posted: readonly Posted[]): number[] => posted.map(({ body }) => body.data.n)

export async function cases(t: Test, open: () => Promise<BenchOptions>): Promise<void> {
  const begin = async (t: Test, more: BenchOptions = {}): Promise<[Bench, Receiver]> =>
    Promise.all([bench(t, { ...(await open()), ...more }), receive(t)])

  await t.test('ordered: one at a time for each contact, in order; one that is stuck holds up no other', async t => {
    const [{ happen, subscribe, forward, room }, receiver] = await begin(t)
    let most = 0
    const inHand = new Map<string, number>()
    let stuck = true
    receiver.answer = ({ body }, response) => {
      const who = body.data.after.waId
      inHand.set(who, (inHand.get(who) ?? 0) + 1)
      most = Math.max(most, inHand.get(who)!)
      setTimeout(() => {
        inHand.set(who, inHand.get(who)! - 1)
        response.writeHead(who === '1' && stuck ? 500 : 204).end()
      }, 5)
    }
    const made = await subscribe({ url: receiver.url, ordered: true })
    await happen(4, { contact: '1' })
    await happen(15, { contact: '2' })
    await happen(15, { contact: '3' })
    await until(
      () => room.acts.deliveries.list(shop, made.id, { status: 'delivered', limit: 100 }),
      ({ items }) => items.length === 30
    )
    const of = (who: string) => numbers(receiver.posted.filter(({ body }) => body.data.after.waId === who))
    t.strictSame(of('2'), [...Array(15).keys()])
    t.strictSame(of('3'), [...Array(15).keys()])
    t.strictSame([...new Set(of('1'))], [0], 'of the one that is stuck only its first')
    stuck = false
    forward(6000)
    await until(
      () => room.acts.deliveries.list(shop, made.id, { status: 'delivered', limit: 100 }),
      ({ items }) => items.length === 34
    )
    t.strictSame([...new Set(of('1'))], [0, 1, 2, 3])
    t.equal(most, 1, 'never two of one contact at a time')
    const free = await receive(t)
    const first = Promise.withResolvers<void>()
    let at = 0
    // The first is answered when there is a second beside it.
    free.answer = async (_, response) => {
      if (++at === 1) await first.promise
      else first.resolve()
      response.end()
    }
    await subscribe({ url: free.url })
    await happen(10, { contact: '4' })
    await count(free)(10)
    t.pass('POSITIVE CONTROL: without it several go at a time, or nothing would have gone on')
  })

  await t.test('a subscriber that is down for a day loses nothing, over a restart too', async t => {
    const [one, receiver] = await begin(t)
    receiver.answer = (_, response) => void response.destroy()
    const made = await one.subscribe({ url: receiver.url })
    await one.happen(30)
    await until(
      () => one.room.acts.subscriptions.get(shop, made.id),
      ({ status }) => status === 'failing'
    )
    for (let hours = 0; hours < 24; hours += 3) {
      one.forward(3 * hour)
      await one.happen(5)
    }
    await one.stop()
    const two = await one.another()
    receiver.answer = (_, response) => void response.writeHead(204).end()
    two.forward(30 * hour)
    await until(
      () => two.room.acts.deliveries.list(shop, made.id, { status: 'pending' }),
      ({ items }) => items.length === 0
    )
    let all: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await two.room.acts.deliveries.list(shop, made.id, { limit: 100, ...(cursor && { cursor }) })
      all = [...all, ...page.items.map(({ status, eventId }) => `${status} ${eventId}`)]
      if (page.nextCursor === null) break
      cursor = page.nextCursor
    }
    t.equal(all.length, 70, 'each event is one delivery')
    t.equal(new Set(all).size, 70)
    t.ok(
      all.every(line => line.startsWith('delivered')),
      '0 lost'
    )
    t.equal(new Set(receiver.ids()).size, 70)
  })

  await t.test('replay: one, a range, the failed ones; to a disabled one too; it counts for nothing', async t => {
    const [{ room, happen, subscribe, events }, receiver] = await begin(t)
    const made = await subscribe({ url: receiver.url })
    const since = new Date(Date.now() - 1000).toISOString()
    await happen(3)
    await count(receiver)(3)
    const ids = [...new Set(receiver.ids())].sort()
    await room.acts.deliveries.replay(shop, made.id, { eventId: ids[1]! })
    await count(receiver)(4)
    t.equal(receiver.ids().at(-1), ids[1], 'with its own id')
    verify(made.secret, receiver.posted.at(-1)!)
    receiver.answer = (_, response) => void response.writeHead(410).end()
    await happen(1)
    await until(
      () => room.acts.subscriptions.get(shop, made.id),
      ({ status }) => status === 'disabled'
    )
    const failed = receiver.ids().at(-1)!
    receiver.answer = (_, response) => void response.writeHead(500).end()
    await room.acts.deliveries.replay(shop, made.id, { eventId: ids[0]! })
    await count(receiver)(6)
    t.match(await room.acts.subscriptions.get(shop, made.id), { disabledReason: 'gone' })
    receiver.answer = (_, response) => void response.writeHead(204).end()
    await room.acts.deliveries.replay(shop, made.id, { since, onlyFailed: true })
    await count(receiver)(7)
    t.equal(receiver.ids().at(-1), failed)
    await until(
      () => room.acts.deliveries.list(shop, made.id, { status: 'delivered' }),
      ({ items }) => items[0]?.kind === 'replay' && items[0].eventId === failed
    )
    await room.acts.deliveries.replay(shop, made.id, { since, onlyFailed: true })
    await room.acts.deliveries.replay(shop, made.id, { since })
    await count(receiver)(11)
    t.strictSame(
      receiver.ids().slice(7).sort(),
      [...ids, failed].sort(),
      'the failed one not twice, and all of the range'
    )
    t.equal((await room.acts.subscriptions.get(shop, made.id)).status, 'disabled', 'and it is no sign of life')
    const other = await subscribe({ url: receiver.url, events: ['message.sent'] })
    await t.rejects(room.acts.deliveries.replay(shop, other.id, { eventId: ids[0]! }), { code: 'not_found' })
    await t.rejects(room.acts.deliveries.replay(shop, made.id, {}), { code: 'invalid_request' })
    t.ok((await events.journal.end()) > 0)
  })

  await t.test('one that hangs delays no other, and one that fails is not hammered', async t => {
    const [{ happen, subscribe, room }, receiver] = await begin(t)
    const [hanging, failing] = await Promise.all([receive(t), receive(t)])
    hanging.answer = () => {}
    failing.answer = (_, response) => void response.writeHead(500).end()
    await subscribe({ url: hanging.url })
    const bad = await subscribe({ url: failing.url })
    await happen(200)
    await until(
      () => room.acts.subscriptions.get(shop, bad.id),
      ({ status }) => status === 'failing'
    )
    await count(failing)(20)
    await subscribe({ url: receiver.url })
    const begun = performance.now()
    await happen(50)
    await count(receiver)(50)
    const took = performance.now() - begun
    t.ok(hanging.posted.length <= 10, `${hanging.posted.length} in flight to the one that hangs`)
    t.ok(failing.posted.length <= 40 + (2 * took) / 500, `${failing.posted.length} attempts at the one that fails`)
    t.equal(new Set(receiver.ids()).size, 50)
  })

  await t.test('what is to be delivered is kept', async t => {
    const [{ happen, subscribe, events, room }, receiver] = await begin(t)
    receiver.answer = (_, response) => void response.writeHead(500).end()
    const made = await subscribe({ url: receiver.url })
    await happen(1)
    await count(receiver)(1)
    const position = await events.journal.end()
    t.ok((await events.undelivered([position])).has(position))
    receiver.answer = (_, response) => void response.writeHead(204).end()
    await room.acts.deliveries.replay(shop, made.id, { since: '2026-01-01T00:00:00Z' })
    await count(receiver)(2)
    t.ok((await events.undelivered([position])).has(position), 'a replay is not the delivery')
    await room.acts.subscriptions.remove(shop, made.id)
    await room.parts.upkeep.sweep()
    t.notOk((await events.undelivered([position])).has(position), 'nobody waits for it any more')
    await t.rejects(room.acts.subscriptions.get(shop, made.id), { code: 'not_found' })
  })
}
