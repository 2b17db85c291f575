import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { postgresPrograms, startInstalled } from './debian-postgres.ts'
import { backup, place, run, text } from './run.ts'

// npm run backup of a PostgreSQL store, and a start from the copy (docs/reliability.md P32, P33).

const programs = postgresPrograms()
const KEY_PEPPER = 'p'.repeat(40)

t.test(
  'a dump made of a running server is stamped: a start from it holds, and sends nothing twice',
  { skip: programs === undefined && 'no PostgreSQL with pg_dump is installed', timeout: 120_000 },
  async t => {
    const cluster = await startInstalled(t, programs!)
    cluster.psql('postgres', 'create database original')
    cluster.psql('postgres', 'create database restored')
    const sandbox = await startSandbox({ apiKey: matonKey })
    t.teardown(() => sandbox.close())
    const directory = place(t)
    const env = { DATABASE_URL: cluster.url('original'), KEY_PEPPER }
    const original = await run(t, { directory, matonUrl: sandbox.url, env })
    const sendAt = new Date(Date.now() + 3600_000).toISOString()
    const { id } = (await original.call('POST', '/messages', text('14155550001', { sendAt }))).body
    const ended = (await original.call('POST', '/messages', text('14155550002'))).body.id
    const file = join(directory, 'copy.sql.gz')
    const at = { ...env, PATH: `${programs}:${process.env.PATH}` }
    const { code, said } = await backup(at, file)
    t.equal(code, 0, said)
    t.match(said, /psql --single-transaction.*release/s)
    t.equal(statSync(file).mode & 0o777, 0o600, 'nobody else reads it')
    t.equal(sandbox.ledger.sends().length, 1, 'the copy was made before it went out')
    // Its time has come, however long the copy took.
    const come = `update messages set run_at = 1, send_at = 1 where id = '${id}'`
    cluster.psql('original', come)
    await until(
      () => sandbox.ledger.sends().length,
      count => count === 2
    )
    await original.end('SIGKILL')

    const sql = gunzipSync(readFileSync(file)).toString()
    t.notMatch(sql, 'secret-of-the-url')
    cluster.psql('restored', sql, '--single-transaction')
    cluster.psql('restored', come)
    const board = await run(t, {
      directory,
      matonUrl: sandbox.url,
      env: { ...env, DATABASE_URL: cluster.url('restored') }
    })
    t.match((await board.call('GET', '/admin/hold')).body, {
      held: true,
      reason: 'restored_backup',
      unknownMessages: 1,
      copiedAt: /^20/
    })
    t.match((await board.call('GET', `/messages/${id}`)).body, { status: 'unknown' })
    t.match((await board.call('GET', `/messages/${ended}`)).body, { status: 'accepted' })
    t.equal((await board.call('POST', '/admin/hold/release')).status, 200)
    const fresh = await board.call('POST', '/messages', text('14155550003'))
    t.equal(fresh.status, 201, 'it goes on')
    t.equal(sandbox.ledger.sends().filter(({ to }) => to === '14155550001').length, 1, 'not twice')
    t.equal(await board.end(), 0)

    const unheld = await run(t, { directory, matonUrl: sandbox.url, env })
    t.match((await unheld.call('GET', '/admin/hold')).body, { held: false }, 'CONTROL: the original is not stamped')
    await unheld.end()

    // What cannot be copied is said, and nothing half is left.
    writeFileSync(join(directory, 'there.sql'), 'mine')
    t.match(await backup(at, join(directory, 'there.sql')), { code: 1, said: /exists already/ })
    t.match(await backup({ ...at, DATABASE_URL: cluster.url('nowhere') }, join(directory, 'x.sql')), {
      code: 1,
      said: /pg_dump ended with 1: .*nowhere/s
    })
    t.match(await backup({ ...at, DATABASE_URL: cluster.url('postgres') }, join(directory, 'x.sql')), {
      code: 1,
      said: /no tables of Switchboard/
    })
    t.match(await backup({ ...at, PATH: directory }, join(directory, 'x.sql')), {
      code: 1,
      said: /pg_dump is not here/
    })
    t.notOk(existsSync(join(directory, 'x.sql')))
    t.strictSame(
      readdirSync(directory).filter(name => name.includes('partial')),
      []
    )
  }
)
