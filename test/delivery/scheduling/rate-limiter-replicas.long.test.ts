import t from 'tap'
import { startSandbox } from '../../../src/sandbox/index.ts'
import { type Board, matonKey, startBoard } from '../../helper.ts'
import { startPostgres } from '../../store/postgres.ts'
import { mostInASecond, rateOf } from './arrivals.ts'

const paced = { MATON_RATE_PER_SECOND: '10' }
const text = (channel: string, to: number) => ({
  channel,
  to: `4917${String(to).padStart(8, '0')}`,
  type: 'text',
  text: { body: `n${to}` }
})
const arrivals = (board: Board) => board.sandbox.ledger.entries
const sentTo = (board: Board) => board.sandbox.ledger.sends().map(entry => entry.to!)

t.test('two replicas on one PostgreSQL keep to the one limit, and use it', async t => {
  const cluster = await startPostgres(t)
  const database = cluster.url(await cluster.database())
  const sandbox = await startSandbox({ apiKey: matonKey, ratePerSecond: 10 })
  t.teardown(() => sandbox.close())
  const env = { ...paced, DATABASE_URL: database, KEY_PEPPER: 'p'.repeat(32) }
  const one = await startBoard(t, { sandbox, env })
  const two = await startBoard(t, { sandbox, env, directory: one.directory })
  // On a busy machine slots go by unused: the last ones wait for longer then.
  const patiently = { headers: { prefer: 'wait=60' } }
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      (i % 2 ? one : two).call('POST', '/messages', { body: text('cloud', i), ...patiently })
    )
  )
  t.same(
    answers.filter(({ status }) => status !== 201).map(({ text }) => text),
    []
  )
  t.equal(sentTo(one).length, 60)
  t.equal(new Set(sentTo(one)).size, 60)
  t.same(
    arrivals(one).filter(({ status }) => status === 429),
    []
  )
  t.ok(mostInASecond(arrivals(one)) <= 10, `${mostInASecond(arrivals(one))} in a second at most`)
  t.ok(rateOf(arrivals(one)) >= 5, `${rateOf(arrivals(one)).toFixed(2)} a second`)

  await one.call('POST', '/channels/cloud/pause')
  const held = await two.call('POST', '/messages', { body: text('cloud', 99) })
  t.equal(held.status, 202, 'the other replica heeds the stop switch at once')
  t.equal(sentTo(one).length, 60)
})
