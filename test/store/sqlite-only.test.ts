import { chmodSync, chownSync, fdatasync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CompiledQuery } from 'kysely'
import t from 'tap'
import { queueQueries } from '../../src/messages/queue.ts'
import { openStore } from '../../src/store/index.ts'
import { migrate, released } from '../../src/store/migrations.ts'
import { openSqlite, type Sync } from '../../src/store/sqlite.ts'
import { StoreUnavailable, type WriteOptions } from '../../src/store/store.ts'
import { failure, line, message, put, until } from '../conformance/store-rows.ts'
import { reachable } from '../reachable.ts'
import { asRoot, commits, count, folder, log, open, start } from './embedded.ts'

t.test('a second process on the same DATA_DIR is refused at once and told why', async t => {
  const directory = await folder(t)
  const first = start(t, 'open', directory)
  t.ok(await until(async () => first.lines[0] === 'open'))
  const took: number[] = []
  for (let i = 0; i < 5; i++) {
    const began = performance.now()
    t.match(await failure(openStore({ directory }, log)), { message: /another Switchboard runs on this DATA_DIR/ })
    took.push(performance.now() - began)
  }
  // One that waits for a lock does so each time, and a busy machine does not.
  t.ok(Math.min(...took) < 1000, `${took}`)
  const second = start(t, 'open', directory)
  t.equal(await second.ended, 1)
  t.match(second.lines[0], /another Switchboard runs/)

  await first.kill()
  const store = await open(t, directory)
  await put(store, message())
  t.equal(await count(store), 1, 'free again right after kill -9')
})

t.test('a DATA_DIR that may not be written to is called that, and not another Switchboard', async t => {
  await reachable()
  const directory = await folder(t)
  chmodSync(directory, 0o555)
  const nobody = 65_534
  const child = start(t, 'open', directory, asRoot ? nobody : undefined)
  t.equal(await child.ended, 1)
  t.match(child.lines[0], /DATA_DIR cannot be written to/)
  chmodSync(directory, 0o755)
  if (asRoot) chownSync(directory, 0, 0)
})

t.test(
  'a new store gets its tables in one commit, and one with tables those that are missing in a commit each',
  async t => {
    const directory = await folder(t)
    const store = openSqlite(directory)
    t.teardown(() => store.close())
    await migrate(store, released.slice(0, 5))
    t.equal(commits(directory), 1)
    await migrate(store)
    t.equal(commits(directory), 1 + released.length - 5, 'killed between two, it goes on where it stopped')
  }
)

t.test('the log is a write-ahead log, and writes do not wait for readers', async t => {
  const store = await open(t, await folder(t))
  const ask = async (pragma: string) =>
    Object.values((await store.read(CompiledQuery.raw(`PRAGMA ${pragma}`)))[0] as object)
  t.strictSame(await ask('journal_mode'), ['wal'])
  t.strictSame(await ask('foreign_keys'), [1])
  t.strictSame(await ask('trusted_schema'), [0])
  t.strictSame(await ask('integrity_check'), ['ok'])
  t.match(
    await failure(store.read(CompiledQuery.raw(`delete from messages`))),
    { message: /readonly/ },
    'a read cannot write'
  )
})

t.test('nothing is acknowledged before the log has been synced; without the wait it would be', async t => {
  const held: (() => void)[] = []
  let hold = false
  const slow: Sync = (fd, done) => fdatasync(fd, error => (hold ? held.push(() => done(error)) : done(error)))
  const store = openSqlite(await folder(t), slow)
  await migrate(store)
  hold = true
  let acknowledged = 0
  const writes = Promise.all(Array.from({ length: 100 }, () => put(store, message()).then(() => acknowledged++)))
  for (const expected of [0, 64]) {
    t.ok(await until(async () => held.length === 1))
    await new Promise(resolve => setImmediate(resolve))
    t.equal(acknowledged, expected)
    held.pop()!()
  }
  await writes
  hold = false
  t.equal(acknowledged, 100)
  await store.close()

  const order: string[] = []
  let syncing = 0
  const inOrder = async (sync: Sync): Promise<string[]> => {
    const store = openSqlite(await folder(t), sync)
    await migrate(store)
    // The hasty one answers before its syncs are over: those of the migrations must not be taken for that of the row.
    t.ok(await until(async () => syncing === 0))
    order.splice(0)
    await put(store, message()).then(() => order.push('acknowledged'))
    t.ok(await until(async () => order.length === 2))
    await store.close()
    return order.splice(0)
  }
  const honest: Sync = (fd, done) => {
    syncing++
    fdatasync(fd, error => {
      syncing--
      order.push('on disk')
      done(error)
    })
  }
  const hasty: Sync = (fd, done) => {
    syncing++
    fdatasync(fd, () => {
      syncing--
      order.push('on disk')
    })
    done(null)
  }
  t.strictSame(await inOrder(honest), ['on disk', 'acknowledged'])
  t.strictSame(await inOrder(hasty), ['acknowledged', 'on disk'], 'control')
})

t.test('a patient unit is committed at once and shares the sync of the next group, or has one of its own', async t => {
  const held: ((error: Error | null) => void)[] = []
  let hold = false
  const store = openSqlite(await folder(t), (fd, done) =>
    fdatasync(fd, error => (hold ? held.push(fault => done(fault ?? error)) : done(error)))
  )
  await migrate(store)
  const [log, patient] = [[] as string[], { patient: 'sync' } as const]
  const write = (name: string, how?: WriteOptions) => {
    const row = message()
    const written = store.write(function* () {
      yield store.build.insertInto('messages').values(row).compile()
    }, how)
    return written.then(
      () => void log.push(name),
      error => void log.push(`${name} ${error.name}`)
    )
  }
  const syncing = async () => t.ok(await until(async () => held.length === 1))
  const rows = (wanted: number) => until(async () => (await count(store)) === wanted)

  hold = true
  const first = write('first')
  await syncing()
  const second = write('second', patient)
  t.ok(await rows(2), 'committed beside a sync that has begun before it')
  const third = write('third')
  held.pop()!(null)
  await first
  await syncing()
  t.strictSame(log, ['first'], 'which does not count for it')
  held.pop()!(null)
  await Promise.all([second, third])
  t.strictSame(
    log.splice(0),
    ['first', 'third', 'second'],
    'one sync for both, and whoever is waited for goes on first'
  )

  const alone = write('alone', patient)
  await syncing()
  t.strictSame(log, [])
  held.pop()!(null)
  await alone
  t.strictSame(log.splice(0), ['alone'])

  const before = write('before')
  await syncing()
  const during = write('during', patient)
  t.ok(await rows(6))
  held.pop()!(new Error('EIO'))
  await Promise.all([before, during])
  t.strictSame(
    log.splice(0),
    ['before StoreUnavailable', 'during StoreUnavailable'],
    'a failed sync may have been meant to write what was committed during it'
  )

  hold = false
  const last = write('last', patient)
  await store.close()
  await last
  t.strictSame(log, ['last'], 'closing waits for it')
})

t.test('a sync that fails is StoreUnavailable, and the next write brings everything to disk first', async t => {
  const directory = await folder(t)
  let broken = false
  const store = openSqlite(directory, (fd, done) => fdatasync(fd, error => done(broken ? new Error('EIO') : error)))
  await migrate(store)
  broken = true
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => put(store, message())))
  for (const result of results) t.ok(result.status === 'rejected' && result.reason instanceof StoreUnavailable)
  t.ok(commits(directory) > 0)
  broken = false
  await put(store, message())
  t.equal(commits(directory), 1, 'the log began anew: what stood in it is in the database file')

  broken = true
  await t.rejects(put(store, message()))
  broken = false
  const backup = new DatabaseSync(join(directory, 'switchboard.db'), { readOnly: true })
  backup.exec('BEGIN; select count(*) from messages')
  t.ok((await failure(put(store, message()))) instanceof StoreUnavailable, 'the log cannot be emptied under a reader')
  backup.close()
  await put(store, message())
  await store.close()
})

t.test('what is due, late or abandoned is found by an index, however many messages there are', async t => {
  const store = await open(t, await folder(t))
  const { claim, heads, expireDue, abandoned } = queueQueries(store)
  const plan = async ({ sql, parameters }: CompiledQuery) =>
    JSON.stringify(await store.read(CompiledQuery.raw(`explain query plan ${sql}`, [...parameters])))
  t.match(await plan(claim({ queue: line, limit: 10, lease_ms: 1 })), /SEARCH messages USING INDEX messages_queue/)
  t.match(await plan(heads({ from: 'live/', to: 'live0', limit: 100 })), /messages_queue/)
  t.match(await plan(expireDue({ entry: '' })), /messages_expiry/)
  t.match(await plan(abandoned('sending', false)), /SEARCH messages USING INDEX messages_lease/)
  t.match(await plan(abandoned('claimed', true)), /messages_lease/)
})

t.test('what is written in one tick goes in groups of 64; one after the other it is a commit each', async t => {
  const directory = await folder(t)
  const store = await open(t, directory)
  await put(store, message())
  const before = commits(directory)
  await Promise.all(Array.from({ length: 300 }, () => put(store, message())))
  t.equal(commits(directory) - before, Math.ceil(300 / 64))
  const between = commits(directory)
  for (let i = 0; i < 10; i++) await put(store, message())
  t.equal(commits(directory) - between, 10, 'control: the count sees every commit')
  t.equal(await count(store), 311)
})

t.test('a faulty unit does not fail its neighbours of the group', async t => {
  const store = await open(t, await folder(t))
  const twin = message()
  const results = await Promise.allSettled([
    ...Array.from({ length: 20 }, () => put(store, message())),
    put(store, twin),
    put(store, twin),
    ...Array.from({ length: 20 }, () => put(store, message()))
  ])
  t.strictSame(
    results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : [])),
    [21]
  )
  t.equal(await count(store), 41)
})

t.test('a transaction begins as a writer: begun as a reader it would be thrown away at its first write', async t => {
  const file = join(await folder(t), 'x.db')
  const [one, two] = [new DatabaseSync(file, { timeout: 0 }), new DatabaseSync(file, { timeout: 0 })]
  one.exec('PRAGMA journal_mode=WAL; create table n (n integer); insert into n values (0)')
  const race = (begin: string): string[] => {
    const faults: string[] = []
    const attempt = (what: () => void) => {
      try {
        what()
      } catch (error) {
        faults.push((error as Error).message)
      }
    }
    one.exec(begin)
    one.prepare('select n from n').get()
    attempt(() => {
      two.exec(begin)
      two.prepare('select n from n').get()
    })
    one.exec('update n set n = n + 1; COMMIT')
    const reads = two.isTransaction
    if (reads) attempt(() => two.exec('update n set n = n + 1'))
    if (two.isTransaction) two.exec('ROLLBACK')
    return [reads ? 'had read' : 'had to wait', ...faults]
  }
  t.match(race('BEGIN'), ['had read', /locked/], 'control')
  t.match(race('BEGIN IMMEDIATE'), ['had to wait', /locked/])
  one.close()
  two.close()
})
