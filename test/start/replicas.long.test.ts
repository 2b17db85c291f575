import t from 'tap'
import { request } from 'undici'
import { startPostgres } from '../store/postgres.ts'
import { serveBare } from './starts.ts'

t.test('two that start together on an empty database share it, and each ends its own demo key', async t => {
  const cluster = await startPostgres(t)
  const env = { SANDBOX: '1', DATABASE_URL: cluster.url(await cluster.database()), KEY_PEPPER: 'p'.repeat(40) }
  const [one, two] = await Promise.all([serveBare(t, env), serveBare(t, env)])
  const keyOf = (said: string) => /KEY=(sk_test_\w+)/.exec(said)![1]!
  const status = async (url: string, key: string) => {
    const { statusCode, body } = await request(`${url}/channels`, { headers: { authorization: `Bearer ${key}` } })
    await body.dump()
    return statusCode
  }
  const admins = [one, two].filter(({ said }) => /ADMIN=sk_live_/.test(said()))
  t.equal(admins.length, 1, 'one first admin key between them')
  const [mine, theirs] = [keyOf(one.said()), keyOf(two.said())]
  for (const { url } of [one, two]) for (const key of [mine, theirs]) t.equal(await status(url, key), 200)
  const rows = await cluster.query(`select id from channels order by id`, new URL(env.DATABASE_URL).pathname.slice(1))
  t.strictSame(rows, [{ id: 'demo-cloud' }, { id: 'demo-wati' }])
  t.equal(await one.end(), 0)
  const third = await serveBare(t, env)
  t.equal(await status(third.url, theirs), 200, 'another start ends nobody’s')
  t.equal(await status(third.url, mine), 401, 'it ended with its process')
  await Promise.all([two.end(), third.end()])
})
