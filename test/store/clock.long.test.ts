import t from 'tap'
import { startBoard, until } from '../helper.ts'
import { startPostgres } from './postgres.ts'

/** Puts the clock of this process 90 s ahead, as one of a machine without NTP may be; the database has its own. */
function ahead(t: { teardown: (end: () => void) => void }): void {
  const right = Date.now
  Date.now = () => right() + 90_000
  t.teardown(() => {
    Date.now = right
  })
}

t.test('what a replica 90 s ahead accepts is due at once', async t => {
  // With SQLite the clock of the process is the clock of the database.
  const cluster = await startPostgres(t)
  const right = Date.now
  ahead(t)
  const env = { DATABASE_URL: cluster.url(await cluster.database()), KEY_PEPPER: 'p'.repeat(32) }
  const board = await startBoard(t, { env })
  const to = '+14155551234'
  await board.call('POST', '/channels/cloud/pause')
  const made = await board.call('POST', '/messages', {
    body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' } }
  })
  t.equal(made.status, 202)
  const stated = Date.parse(made.body.createdAt)
  t.ok(Math.abs(stated - right()) < 30_000, 'it is told by the clock of the database')
  await board.call('POST', '/channels/cloud/resume')
  // Written 90 s ahead, it would wait for 90 s.
  const sent = await until(
    async () => (await board.call('GET', `/messages/${made.body.id}`)).body,
    message => message.acceptedAt !== undefined && message.acceptedAt !== null,
    20_000
  )
  t.ok(Math.abs(Date.parse(sent.acceptedAt) - right()) < 30_000)
})
