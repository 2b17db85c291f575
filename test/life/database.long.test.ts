import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { startPostgres } from '../store/postgres.ts'
import { place, run, text } from './run.ts'

// PostgreSQL goes away under a running server and comes back (docs/reliability.md P27, P28).

t.test('while PostgreSQL is away every send is a 503 and nothing leaves; then it goes on by itself', async t => {
  const cluster = await startPostgres(t)
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const env = { DATABASE_URL: cluster.url(await cluster.database()), KEY_PEPPER: 'p'.repeat(32) }
  const board = await run(t, { directory: place(t), matonUrl: sandbox.url, env })
  const acked = new Map<string, string>()
  const refused: string[] = []
  let stop = false
  const senders = Array.from({ length: 4 }, async (_, i) => {
    for (let n = 0; !stop; n++) {
      const to = `1415${i}${String(n).padStart(6, '0')}`
      const { status, body } = await board.call('POST', '/messages', text(to), { prefer: 'wait=1' })
      if (status < 300) acked.set(body.id, to)
      else if (status === 503 && body.code === 'overloaded' && body.outcome === 'not_sent') refused.push(to)
      else throw new Error(`${status} ${JSON.stringify(body)}`)
    }
  })
  await until(
    () => acked.size,
    size => size > 40
  )
  await cluster.stop()
  await until(
    () => board.call('GET', '/readyz'),
    ({ status }) => status === 503,
    2000
  )
  t.equal((await board.call('GET', '/livez')).status, 200)
  await until(
    () => refused.length,
    count => count > 20
  )
  await cluster.start()
  await until(
    () => board.call('GET', '/readyz'),
    ({ status }) => status === 200
  )
  const before = acked.size
  await until(
    () => acked.size,
    size => size > before + 20
  )
  stop = true
  await Promise.all(senders)

  const open = new Set([...acked.keys()])
  await until(
    async () => {
      for (const id of open)
        if ((await board.call('GET', `/messages/${id}`)).body.status === 'accepted') open.delete(id)
      return open.size
    },
    size => size === 0,
    60_000
  )
  t.pass(`all ${acked.size} that were acknowledged are stored and accepted`)
  const sent = sandbox.ledger.sends().map(({ to }) => to!)
  t.equal(new Set(sent).size, sent.length, 'nobody was messaged twice')
  t.strictSame(
    refused.filter(to => sent.includes(to)),
    [],
    `nobody of the ${refused.length} that were refused was messaged`
  )
  t.equal(await board.end(), 0)
})
