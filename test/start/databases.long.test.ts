import t from 'tap'
import { startPostgres } from '../store/postgres.ts'
import { canary, live, pepper, place, refused, taken } from './starts.ts'

// What does not fit is refused, and by the name of the setting that does not (docs/reliability.md P50).

t.test('databases that do not fit', async t => {
  const cluster = await startPostgres(t)
  const start = (url: string) => ({ ...live, DATA_DIR: place(t), DATABASE_URL: url, KEY_PEPPER: pepper })
  await refused(
    t,
    start(`${cluster.url('x')}?options=-csynchronous_commit%3Doff`),
    /DATABASE_URL has the parameter options/
  )
  await refused(t, start('postgres://u@127.0.0.1:9/x'), /DATABASE_URL: nobody listens there \(ECONNREFUSED\)/)
  await refused(t, start(cluster.url('nowhere')), /DATABASE_URL: there is no such database/)
  await refused(
    t,
    start(cluster.url('postgres').replace(':postgres@', `:${canary}@`)),
    /DATABASE_URL: the server refuses/
  )
  await cluster.query(`create database latin encoding 'LATIN1' locale 'C' locale_provider libc template template0`)
  await refused(t, start(cluster.url('latin')), /DATABASE_URL: the database holds text as LATIN1/)

  const url = cluster.url(await cluster.database())
  await taken(t, start(url), 'a database of its own')
  await refused(t, { ...start(url), KEY_PEPPER: 'q'.repeat(40) }, /the store was made with another pepper/)
  await cluster.query(`insert into migrations (name) values ('999_of_tomorrow')`, new URL(url).pathname.slice(1))
  await refused(t, start(url), /DATABASE_URL: the store has tables of a newer release/)
})
