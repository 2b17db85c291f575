import pg from 'pg'
import pino from 'pino'
import t, { type Test } from 'tap'
import { createJournal, type Journal } from '../../src/events/index.ts'
import { openStore } from '../../src/store/index.ts'
import { message, put } from '../conformance/store-rows.ts'
import { type Cluster, startPostgres } from '../store/postgres.ts'
import { until } from '../until.ts'

const log = pino({ level: 'silent' })
const accept = (id: string) => `update messages set state = 'accepted', accepted_at = 1 where id = '${id}'`

/** Two transactions that write an event each, the first of which commits last, and one who reads in between and after. */
async function story(t: Test, cluster: Cluster, sabotage?: string): Promise<{ read: unknown[]; wrote: string[] }> {
  const name = await cluster.database()
  const store = await openStore({ databaseUrl: cluster.url(name), directory: '' }, log)
  if (sabotage !== undefined) await cluster.query(sabotage, name)
  const journal = createJournal(store, log)
  journal.start()
  const clients = [1, 2].map(() => new pg.Client({ connectionString: cluster.url(name) }))
  t.teardown(async () => {
    await journal.stop()
    for (const client of clients) await client.end()
    await store.close()
  })
  const [slow, quick] = clients as [pg.Client, pg.Client]
  const rows = [1, 2].map(i => message({ state: 'sending', attempts: 1, contact: `1415555000${i}` }))
  for (const row of rows) await put(store, row)
  await Promise.all(clients.map(client => client.connect()))

  await slow.query('begin')
  await slow.query(accept(rows[0]!.id))
  await quick.query('begin')
  await quick.query(accept(rows[1]!.id))
  await quick.query('commit')
  const read: unknown[] = []
  let after = 0
  const goOn = async () => {
    const page = await journal.read({ after, limit: 100, filter: () => true })
    after = page.next
    read.push(...page.events.map(({ event }) => event.data.id))
    return read.length
  }
  await until(goOn, count => count === 1)
  await slow.query('commit')
  // A third that comes after both: once it is read, whatever was before it has been passed.
  const last = await put(store, message({ state: 'sending', attempts: 1, contact: '14155550003' }))
  await quick.query(accept(last.id))
  await until(goOn, () => read.includes(last.id))
  return { read, wrote: [rows[1]!.id, rows[0]!.id, last.id] }
}

t.test('of two transactions the one that commits last is read last, and not passed over', async t => {
  const cluster = await startPostgres(t)
  const { read, wrote } = await story(t, cluster)
  t.strictSame(read, wrote)

  // The control: places that are taken while a transaction runs, as a serial column would give them.
  const atWrite = `create sequence places; alter table events alter column position set default nextval('places')`
  const lost = await story(t, cluster, atWrite)
  t.strictSame(lost.read, [lost.wrote[0], lost.wrote[2]], 'without numbering after the commit one is lost')
})

t.test('many writers on two replicas: every event is read once, and in order for each message', async t => {
  const cluster = await startPostgres(t)
  const name = await cluster.database()
  const open = () => openStore({ databaseUrl: cluster.url(name), directory: '' }, log)
  const stores = await Promise.all([open(), open()])
  const journals = stores.map(store => createJournal(store, log))
  for (const journal of journals) journal.start()
  t.teardown(async () => {
    for (const journal of journals) await journal.stop()
    for (const store of stores) await store.close()
  })
  const seen: { id: unknown; type: string; sequence: number }[] = []
  let after = 0
  const goOn = async () => {
    const page = await journals[1]!.read({ after, limit: 7, filter: () => true })
    after = page.next
    seen.push(...page.events.map(({ event: { data, type, sequence } }) => ({ id: data.id, type, sequence })))
    return seen.length
  }
  const steps = ['accepted', 'sent', 'delivered', 'read']
  const life = async (i: number) => {
    const store = stores[i % 2]!
    const row = await put(store, message({ state: 'sending', attempts: 1, contact: `14155551${100 + i}` }))
    for (const state of steps)
      await stores[Math.floor(Math.random() * 2)]!.write(function* () {
        yield store.build
          .updateTable('messages')
          .set({ state: state as 'sent' })
          .where('id', '=', row.id)
          .compile()
      })
  }
  let writing = true
  const writers = Promise.all(Array.from({ length: 50 }, (_, i) => life(i))).finally(() => {
    writing = false
  })
  while (writing) await goOn()
  await writers
  await until(goOn, count => count >= 200)
  t.equal(seen.length, 200)
  t.strictSame(
    seen.map(({ sequence }) => sequence),
    [...new Set(seen.map(({ sequence }) => sequence))].sort((a, b) => a - b)
  )
  for (const id of new Set(seen.map(each => each.id)))
    t.strictSame(
      seen.filter(each => each.id === id).map(({ type }) => type),
      steps.map(step => `message.${step}`)
    )
})

t.test('whoever waits on another replica is told at once, by a word and not by asking', async t => {
  const cluster = await startPostgres(t)
  const name = await cluster.database()
  const open = () => openStore({ databaseUrl: cluster.url(name), directory: '' }, log)
  const stores = await Promise.all([open(), open()])
  // Not started: neither asks once a second.
  const [here, there] = stores.map(store => createJournal(store, log)) as [Journal, Journal]
  t.teardown(async () => {
    await Promise.all([here.stop(), there.stop()])
    for (const store of stores) await store.close()
  })
  let words = 0
  there.onNews(() => words++)
  const says = async () => {
    await put(stores[0]!, message({ state: 'failed', final: 1 }))
    return words
  }
  // The connection that listens may still be on its way.
  await until(says, count => count > 0)
  const { events } = await there.read({ after: 0, limit: 1, filter: () => true })
  t.match(events, [{ event: { type: 'message.failed' } }])
})
