import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { type Board, cloudSettings, matonKey, startBoard, until } from '../helper.ts'
import { startPostgres } from '../store/postgres.ts'
import { calm, ended, order, table, upload } from './order.ts'

t.test('two replicas on one PostgreSQL share a broadcast', async t => {
  const cluster = await startPostgres(t)
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const database = await cluster.database()
  const env = {
    DATABASE_URL: cluster.url(database),
    KEY_PEPPER: 'a-pepper-for-both-replicas-0123456789'
  }
  const replica = async (): Promise<Board> => {
    const board = await startBoard(t, { env, sandbox })
    return board
  }
  const one = await replica()
  const two = await replica()
  await calm(one, 'POST', '/channels', {
    body: { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }
  })
  const reached = () => sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries.map(({ to }) => to))

  await t.test('each of many recipients is written to once', async t => {
    sandbox.ledger.clear()
    const made = await upload(one, table(1100))
    t.match(made, { status: 202, body: { total: 1100 } }, made.text.slice(0, 300))
    const { body } = await ended(two, made.body.id, 300_000)
    t.match(body, { status: 'finished', counts: { accepted: 1100 } })
    t.equal(new Set(reached()).size, 1100)
    t.equal(reached().length, 1100)
  })

  await t.test('a pause and a cancel that one was told hold for the other', async t => {
    sandbox.ledger.clear()
    const { body } = await upload(one, table(600), '', { fields: { ratePerSecond: '20' } })
    await until(
      () => reached().length,
      count => count >= 3
    )
    t.match(await calm(two, 'POST', `/broadcasts/${body.id}/pause`), { status: 200, body: { status: 'paused' } })
    const paused = await calm(one, 'GET', `/broadcasts/${body.id}`)
    t.equal(paused.body.status, 'paused')
    t.match(await calm(two, 'POST', `/broadcasts/${body.id}/cancel`), { status: 200 })
    const after = await ended(one, body.id)
    t.match(after.body, { status: 'canceled', counts: { queued: 0, sending: 0 } })
    t.equal(after.body.counts.accepted, reached().length)
    t.equal(after.body.counts.accepted + after.body.counts.canceled, 600)
    t.ok(reached().length < 60, `${reached().length} went out`)
  })

  await t.test('what failed is sent again by whichever has time', async t => {
    const made = await calm(one, 'POST', '/broadcasts', {
      body: order(1, { recipients: [{ to: '15550100001', variables: ['Ada', '1'] }] })
    })
    t.match((await ended(two, made.body.id)).body, { status: 'failed' })
    t.match(await calm(two, 'POST', `/broadcasts/${made.body.id}/retry-failed`), { body: { status: 'running' } })
    const again = await until(
      () => one.call('GET', `/broadcasts/${made.body.id}/messages`),
      ({ body }) => body.items[0].attempts === 2 && body.items[0].final
    )
    t.match(again.body.items, [{ status: 'failed' }])
  })

  await t.test(
    'PostgreSQL is had to count the messages of a large one, lest it plan for as many as there were',
    async t => {
      const counted = async () => {
        const figures = `select analyze_count, last_analyze from pg_stat_user_tables where relname = 'messages'`
        return Number((await cluster.query(figures, database))[0]!.analyze_count)
      }
      t.equal(await counted(), 0, 'CONTROL: not of the small ones')
      const later = new Date(Date.now() + 3600_000).toISOString()
      const { body } = await upload(one, table(5000), '', { fields: { startAt: later } })
      t.equal(await until(counted, count => count > 0), 1)
      await calm(one, 'POST', `/broadcasts/${body.id}/cancel`)
    }
  )
})
