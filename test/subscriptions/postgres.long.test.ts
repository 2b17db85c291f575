import t from 'tap'
import { startPostgres } from '../store/postgres.ts'
import { until } from '../until.ts'
import { cases } from './cases.ts'
import { receive } from './receiver.ts'
import { bench, shop } from './room.ts'

const cluster = await startPostgres(t)
const open = async () => ({ databaseUrl: cluster.url(await cluster.database()) })
await cases(t, open)

t.test('two replicas: each event once, and what a dead one held goes when its lease is over', async t => {
  const receiver = await receive(t)
  const clock = { ahead: 0 }
  const one = await bench(t, { ...(await open()), clock })
  const two = await one.another()
  const made = await one.subscribe({ url: receiver.url })
  await Promise.all([one.happen(100), two.happen(100)])
  await until(
    () => one.room.acts.deliveries.list(shop, made.id, { status: 'pending' }),
    ({ items }) => items.length === 0 && receiver.posted.length >= 200
  )
  t.equal(receiver.posted.length, 200)
  t.equal(new Set(receiver.ids()).size, 200, 'none twice')
  // A process that died with one in hand: its lease stands in the row, and nobody renews it.
  receiver.answer = (_, response) => void response.writeHead(500).end()
  await one.happen(1)
  const [held] = await until(
    () => one.room.acts.deliveries.list(shop, made.id, { status: 'pending' }).then(({ items }) => items),
    items => items[0]?.attempts.length === 1
  )
  receiver.answer = (_, response) => void response.writeHead(204).end()
  await one.store.write(function* () {
    const lease = { lease: 'of the dead', run_at: one.now() + 45_000 }
    yield one.store.build.updateTable('deliveries').set(lease).where('id', '=', held!.id).compile()
  })
  one.forward(40_000)
  await one.room.parts.upkeep.sweep()
  t.equal(receiver.posted.length, 201, 'not before it is over')
  one.forward(6000)
  await until(
    () => receiver.posted.length,
    count => count > 201
  )
  t.equal(receiver.ids().at(-1), held!.eventId)
  t.equal(receiver.posted.length, 202)
})
