import t from 'tap'
import { retryPolicy } from '../../src/delivery/retry-policy.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { until } from '../until.ts'
import { receive, verify } from './receiver.ts'
import { bench, shop } from './room.ts'

const { schedule } = retryPolicy.subscribers
const hour = 3600_000

t.test('an event is posted signed, and the reference library takes it; no other secret and no other text', async t => {
  const [{ room, happen, subscribe, log }, receiver] = await Promise.all([bench(t), receive(t)])
  const made = await subscribe({ url: receiver.url })
  await happen(3)
  await until(
    () => receiver.posted.length,
    count => count === 3
  )
  t.strictSame(receiver.posted.map(({ body }) => body.data.n).sort(), [0, 1, 2], 'each once')
  const [first] = receiver.posted
  t.strictSame(verify(made.secret, first!), first!.body)
  t.equal(first!.headers['webhook-id'], first!.body.id)
  t.throws(() => verify(`whsec_${Buffer.alloc(32).toString('base64')}`, first!), 'POSITIVE CONTROL: another secret')
  t.throws(() => verify(made.secret, { ...first!, text: `${first!.text} ` }), 'POSITIVE CONTROL: another text')
  const old = { ...first!, headers: { ...first!.headers, 'webhook-timestamp': '1700000000' } }
  t.throws(() => verify(made.secret, old), /too old/, 'and it refuses what is old')
  const page = await until(
    () => room.acts.deliveries.list(shop, made.id, { status: 'delivered' }),
    ({ items }) => items.length === 3
  )
  t.match(page.items[0], { status: 'delivered', kind: 'event', attempts: [{ status: 204 }] })
  t.notMatch(log.join(''), /14155550100|whsec_/, 'neither numbers nor secrets in the log')
  t.strictSame((await room.acts.deliveries.list(shop, made.id, { limit: 2 })).items.length, 2)
})

t.test(
  'what fails is sent again: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; then it is given up',
  async t => {
    const [{ room, happen, subscribe, forward, now }, receiver] = await Promise.all([bench(t), receive(t)])
    receiver.answer = (_, response) => void response.writeHead(500).end('no')
    const made = await subscribe({ url: receiver.url })
    await happen(1)
    const list = () => room.acts.deliveries.list(shop, made.id, {}).then(({ items }) => items[0]!)
    for (let attempt = 1; attempt <= schedule.length; attempt++) {
      const delivery = await until(list, one => one?.attempts.length === attempt)
      t.equal(receiver.posted.length, attempt, `attempt ${attempt}`)
      if (attempt === schedule.length) break
      const next = Date.parse(delivery.nextAttemptAt!)
      const waits = next - Date.parse(delivery.attempts.at(-1)!.at)
      const scheduled = schedule[attempt]! * 1000
      t.ok(waits > scheduled - 500 && next < now() + scheduled + 500, `${waits} ms are ${schedule[attempt]} s`)
      forward(schedule[attempt]! * 1000 - 500)
      forward(500)
    }
    t.match(await list(), { status: 'failed', attempts: [{ status: 500, body: 'no', error: 'it answered 500' }] })
    t.equal(new Set(receiver.ids()).size, 1, 'one id for all of them')
    t.equal(
      new Set(receiver.posted.map(({ headers }) => headers['webhook-timestamp'])).size > 5,
      true,
      'each signed anew'
    )
    t.match(await room.acts.subscriptions.get(shop, made.id), { status: 'failing', failingSince: /^20/ })
    receiver.answer = (_, response) => void response.writeHead(200).end()
    await happen(1)
    await until(
      () => room.acts.subscriptions.get(shop, made.id),
      ({ status }) => status === 'active'
    )
  }
)

t.test('answers that are no success: 3xx is not followed, Retry-After is obeyed, 410 disables', async t => {
  const [{ room, happen, subscribe, forward, now }, receiver] = await Promise.all([bench(t), receive(t)])
  const other = await receive(t)
  const answering = (status: number, headers: Record<string, string> = {}) => {
    receiver.answer = (_, response) => void response.writeHead(status, headers).end()
  }
  answering(301, { location: other.url })
  const made = await subscribe({ url: receiver.url })
  await happen(1)
  const list = () => room.acts.deliveries.list(shop, made.id, {}).then(({ items }) => items[0]!)
  const one = await until(list, each => each?.attempts.length === 1)
  t.match(one.attempts[0], { status: 301, error: 'it redirects (301), which is not followed' })
  answering(429, { 'retry-after': '7200' })
  forward(6000)
  const two = await until(list, each => each.attempts.length === 2)
  const waits = Date.parse(two.nextAttemptAt!) - now()
  t.ok(waits > 7190_000 && waits <= 7200_000, `Retry-After: ${waits} ms`)
  await happen(1)
  forward(7100_000)
  await room.parts.upkeep.sweep()
  t.equal(receiver.posted.length, 2, 'nothing at all is sent before that')
  answering(503, { 'retry-after': new Date(now() + 100 * hour).toUTCString() })
  forward(101_000)
  await until(
    () => receiver.posted.length,
    count => count >= 3
  )
  const items = () => room.acts.deliveries.list(shop, made.id, {}).then(page => page.items)
  // Nothing is in hand any more: a clock that is set forward meanwhile would end its lease.
  const settled = await until(
    items,
    each =>
      each.every(({ nextAttemptAt }) => nextAttemptAt) && each.some(({ attempts }) => attempts.at(-1)?.status === 503)
  )
  const three = settled.find(({ attempts }) => attempts.at(-1)?.status === 503)!
  answering(410)
  t.ok(Date.parse(three.nextAttemptAt!) - now() <= 24 * hour * 1.1, 'nobody can have it wait for longer than a day')
  forward(25 * hour)
  const gone = await until(
    () => room.acts.subscriptions.get(shop, made.id),
    ({ status }) => status === 'disabled'
  )
  t.match(gone, { disabledReason: 'gone' })
  // What was in hand at that moment is given up by a later sweep.
  await until(
    async () => {
      await room.parts.upkeep.sweep()
      return room.acts.deliveries.list(shop, made.id, { status: 'pending' })
    },
    ({ items }) => items.length === 0
  )
  t.equal(other.posted.length, 0)
})

t.test(
  'nothing but failures for 5 days disables; told at 50, 70 and 90 %; enabled, it goes on with what happens then',
  async t => {
    const [{ room, happen, subscribe, forward, log, now }, receiver] = await Promise.all([bench(t), receive(t)])
    receiver.answer = (_, response) => void response.writeHead(500).end()
    const made = await subscribe({ url: receiver.url })
    await happen(1)
    const get = () => room.acts.subscriptions.get(shop, made.id)
    await until(get, ({ status }) => status === 'failing')
    const told = () => log.filter(line => line.includes('will be disabled')).map(line => JSON.parse(line).percent)
    for (const [hours, percents] of [
      [59, []],
      [2, [50]],
      [24, [50, 70]],
      [24, [50, 70, 90]]
    ] as const) {
      forward(hours * hour)
      await until(
        () => room.acts.deliveries.list(shop, made.id, {}),
        ({ items: [one] }) => Date.parse(one!.nextAttemptAt ?? '0') > now()
      )
      await Promise.all([room.parts.upkeep.sweep(), room.parts.upkeep.sweep()])
      t.strictSame(told(), percents)
    }
    t.equal((await get()).status, 'failing')
    forward(12 * hour)
    await happen(1)
    t.match(await until(get, ({ status }) => status === 'disabled'), { disabledReason: 'failing' })
    await until(log.join.bind(log, ''), text => /"level":50.*a subscription is disabled/.test(text))
    await happen(1)
    receiver.answer = (_, response) => void response.writeHead(204).end()
    const before = receiver.posted.length
    t.equal((await room.acts.subscriptions.enable(shop, made.id)).status, 'active')
    await happen(1)
    await until(
      () => receiver.posted.length,
      count => count > before
    )
    t.equal(receiver.posted.length, before + 1, 'not what happened while it was disabled')
    await t.rejects(room.acts.subscriptions.enable(shop, made.id), { code: 'conflict' })
  }
)

t.test('rotation: both secrets verify while they overlap, then the new one alone', async t => {
  const [{ room, happen, subscribe, forward }, receiver] = await Promise.all([bench(t), receive(t)])
  const made = await subscribe({ url: receiver.url })
  const rotated = await room.acts.subscriptions.rotate(shop, made.id, { overlapSeconds: 3600 })
  const next = async () => {
    const before = receiver.posted.length
    await happen(1)
    await until(
      () => receiver.posted.length,
      count => count > before
    )
    // The reference library judges the time too, and ours is set forward.
    const posted = receiver.posted.at(-1)!
    return (secret: string) => {
      const realNow = Date.now
      Date.now = () => Number(posted.headers['webhook-timestamp']) * 1000
      try {
        return Boolean(verify(secret, posted))
      } catch {
        return false
      } finally {
        Date.now = realNow
      }
    }
  }
  const during = await next()
  t.strictSame([during(made.secret), during(rotated.secret)], [true, true])
  forward(2 * hour)
  const after = await next()
  t.strictSame([after(made.secret), after(rotated.secret)], [false, true])
})

t.test('only what it asks for and its maker may see, of its mode; it ends with its key', async t => {
  let maker: Caller | undefined = shop
  const [{ room, happen, subscribe }, receiver] = await Promise.all([
    bench(t, { rights: async () => maker }),
    receive(t)
  ])
  const made = await subscribe({ url: receiver.url, channels: ['cloud'] })
  await happen(1, { channel: 'wati' })
  await happen(1, { mode: 'test' })
  await happen(1, { service: 'other' })
  await happen(1)
  await until(
    () => receiver.posted.length,
    count => count > 0
  )
  maker = undefined
  await until(
    () => room.acts.subscriptions.get(shop, made.id),
    ({ status }) => status === 'disabled'
  )
  t.match(await room.acts.subscriptions.get(shop, made.id), { disabledReason: 'key_ended' })
  t.ok(receiver.posted.every(({ body }) => body.channel === 'cloud' && body.service === 'shop' && body.mode === 'live'))
  await t.rejects(room.acts.subscriptions.enable(shop, made.id), { code: 'conflict' })
  await t.rejects(room.acts.deliveries.replay(shop, made.id, { since: '2026-01-01T00:00:00Z' }), { code: 'conflict' })
})

t.test('what waits is not sent once its maker may not hear it any more, whoever changes the address', async t => {
  let maker: Caller = shop
  const [{ room, happen, subscribe, forward }, receiver, other] = await Promise.all([
    bench(t, { rights: async () => maker }),
    receive(t),
    receive(t)
  ])
  receiver.answer = (_, response) => void response.writeHead(500).end()
  const made = await subscribe({ url: receiver.url })
  await happen(1)
  await until(
    () => receiver.posted.length,
    count => count > 0
  )
  maker = { ...shop, channels: new Set(['wati']) }
  const tried = async () => {
    forward(hour / 4)
    const { items } = await room.acts.deliveries.list(shop, made.id, { limit: 10 })
    return JSON.stringify(items)
  }
  // What the maker may do is believed for a moment.
  await until(tried, text => /may not hear this any more/.test(text))
  await room.acts.subscriptions.patch(shop, made.id, { url: other.url })
  const before = receiver.posted.length
  for (let i = 0; i < 3; i++) await tried()
  maker = shop
  await until(
    async () => {
      await tried()
      return other.posted.length
    },
    count => count > 0
  )
  t.equal(receiver.posted.length, before)
  t.equal(other.posted[0]!.body.channel, 'cloud', 'CONTROL: it comes as soon as it may be heard again')
})

t.test('thin: no words and no numbers', async t => {
  const [{ happen, subscribe }, receiver] = await Promise.all([bench(t), receive(t)])
  const made = await subscribe({ url: receiver.url, payload: 'thin' })
  await happen(1)
  await until(
    () => receiver.posted.length,
    count => count === 1
  )
  const [posted] = receiver.posted
  t.strictSame(posted!.body.data, { change: 'number' })
  t.match(posted!.body, { id: /^evt_/, type: 'contact.changed', channel: 'cloud', sequence: Number })
  t.notMatch(posted!.text, '14155550100')
  verify(made.secret, posted!)
})
