import { spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { CompiledQuery } from 'kysely'
import pg from 'pg'
import pino from 'pino'
import t, { type Test } from 'tap'
import { openStore } from '../../src/store/index.ts'
import { failure, get, message, put, returned } from '../conformance/store-rows.ts'
import { until } from '../helper.ts'
import { startPostgres } from './postgres.ts'

// Behind a pooler that hands one connection to many: what it refuses at connection is not asked for.

/** What PgBouncer lets a client ask for at connection (its manual: "ignore_startup_parameters"). */
const allowed = new Set([
  ...['user', 'database', 'client_encoding', 'application_name', 'datestyle', 'timezone', 'standard_conforming_strings']
])

/** The parameters of a first message, by name; undefined: it is another kind of first message, or not all of it. */
function startup(bytes: Buffer): string[] | undefined {
  if (bytes.length < 8 || bytes.length < bytes.readInt32BE(0) || bytes.readInt32BE(4) !== 196_608) return undefined
  const words = bytes.toString('latin1', 8, bytes.readInt32BE(0)).split('\0')
  return words.filter((_, i) => i % 2 === 0).filter(Boolean)
}

/** Passes everything on but a connection that asks for what PgBouncer refuses. */
async function strict(t: Test, url: string): Promise<string> {
  const target = new URL(url)
  const [port, host] = [Number(target.port), target.hostname]
  const server = createServer(near => {
    near.once('data', (bytes: Buffer) => {
      const wrong = (startup(bytes) ?? []).find(name => !allowed.has(name.toLowerCase()))
      if (wrong) {
        const text = `SFATAL\0C08P01\0Munsupported startup parameter: ${wrong}\0\0`
        const head = Buffer.alloc(5, 'E')
        head.writeInt32BE(4 + text.length, 1)
        near.end(Buffer.concat([head, Buffer.from(text)]))
        return
      }
      const far = connect(port, host)
      for (const [one, other] of [
        [near, far],
        [far, near]
      ] as const)
        one.on('error', () => other.destroy())
      far.write(bytes)
      near.pipe(far).pipe(near)
    })
    near.on('error', () => near.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  target.port = String((server.address() as { port: number }).port)
  return target.href
}

const silent = pino({ level: 'silent' })

t.test('nothing is asked for at connection that a pooler refuses, and every commit is as we need it', async t => {
  const cluster = await startPostgres(t)
  const name = await cluster.database()
  await cluster.query(`alter database ${name} set synchronous_commit = off`)
  const url = await strict(t, cluster.url(name))
  const asking = new pg.Client({ connectionString: url, statement_timeout: 5000 })
  t.match(
    await failure(asking.connect()),
    { message: /unsupported startup parameter/ },
    'CONTROL: what we asked before'
  )

  const store = await openStore({ databaseUrl: url, directory: '' }, silent)
  t.teardown(() => store.close())
  const row = await put(store, message())
  t.equal((await get(store, row.id)).id, row.id)
  const words = ['synchronous_commit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  const set = words.map(word => `current_setting('${word}') as ${word}`).join(', ')
  t.match(
    await returned(store, CompiledQuery.raw(`select ${set}, current_setting('transaction_isolation') as isolation`)),
    [...[{ synchronous_commit: 'on', statement_timeout: '5s', lock_timeout: '2s', isolation: 'read committed' }]]
  )
  t.match(
    await store.read(CompiledQuery.raw('show statement_timeout')),
    [{ statement_timeout: '5s' }],
    'a read has its limit too'
  )
})

const pgbouncer = (process.env.PATH ?? '')
  .split(delimiter)
  .concat('/usr/sbin')
  .map(folder => join(folder, 'pgbouncer'))
  .find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

t.test('PgBouncer in transaction mode', { skip: !pgbouncer && 'pgbouncer is not installed here' }, async t => {
  const cluster = await startPostgres(t)
  const target = new URL(cluster.url(await cluster.database()))
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-pooler-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  chmodSync(directory, 0o755)
  const free = createServer()
  await new Promise<void>(resolve => free.listen(0, '127.0.0.1', resolve))
  const { port } = free.address() as { port: number }
  await new Promise(resolve => free.close(resolve))
  const settings = [
    ...['[databases]', `* = host=${target.hostname} port=${target.port} user=postgres password=postgres`],
    ...['[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = any'],
    ...['pool_mode = transaction', 'default_pool_size = 3']
  ]
  writeFileSync(join(directory, 'pgbouncer.ini'), settings.join('\n'), { mode: 0o644 })
  const as = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(pgbouncer!, [...as, join(directory, 'pgbouncer.ini')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', chunk => (said += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  await until(
    () => said,
    text => /process up/.test(text)
  )
  target.port = String(port)
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: line => void lines.push(line) })
  const store = await openStore({ databaseUrl: target.href, directory: '' }, log)
  t.teardown(() => store.close())
  const rows = await Promise.all(Array.from({ length: 40 }, () => put(store, message())))
  for (const row of rows) t.equal((await get(store, row.id)).id, row.id)
  t.match(await returned(store, CompiledQuery.raw('show synchronous_commit')), [{ synchronous_commit: 'on' }])
  t.match(
    await store.read(CompiledQuery.raw('show statement_timeout')),
    [{ statement_timeout: '0' }],
    'nothing of ours stays with a connection that others get'
  )
  store.notifications!.subscribe(() => {})
  await until(
    () => lines.join(''),
    text => /pooler that does not pass LISTEN/.test(text)
  )
})

t.test('where LISTEN works nothing is said of it', async t => {
  const cluster = await startPostgres(t)
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: line => void lines.push(line) })
  const store = await openStore({ databaseUrl: cluster.url(await cluster.database()), directory: '' }, log)
  t.teardown(() => store.close())
  const heard: string[] = []
  store.notifications!.subscribe(word => void heard.push(word))
  await until(
    () => heard,
    words => words.some(word => word.startsWith('hello '))
  )
  t.strictSame(lines, [])
})
