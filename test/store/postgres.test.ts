import { CompiledQuery } from 'kysely'
import pino from 'pino'
import t from 'tap'
import { queueQueries } from '../../src/messages/queue.ts'
import { openStore } from '../../src/store/index.ts'
import { migrate } from '../../src/store/migrations.ts'
import { openPostgres } from '../../src/store/postgres.ts'
import { type Store, StoreUnavailable } from '../../src/store/store.ts'
import { storeConformance } from '../conformance/store.ts'
import { changed, failure, get, line, message, put, returned, until } from '../conformance/store-rows.ts'
import { network } from './network.ts'
import { type Cluster, startPostgres } from './postgres.ts'

const log = pino({ level: 'silent' })
const tables =
  'messages, idempotency, keys, channels, media, media_chunks, audit, contacts, contact_attributes, identities, remote_media' +
  ', blocks, paces, breakers, suppressions, broadcasts, webhooks, webhook_bodies, webhook_lanes, webhook_tokens, heard_events, message_ids' +
  ', parked_events, missing_channels, events, connection_standings, key_secrets, key_limits, audit_chain, caller_identities, usage, usage_lines, usage_calls'
// A truncation makes new files for every table and index; there are a few rows to take out.
const empty = tables.replace(/\w+,?/g, table => `delete from ${table.replace(',', '')};`)
const open = (databaseUrl: string) => openStore({ databaseUrl, directory: '' }, log)
const raw = (store: Store, text: string) => changed(store, CompiledQuery.raw(text))

/** Rejected as StoreUnavailable, within so many milliseconds. */
async function unavailable(work: Promise<unknown>, ms: number): Promise<boolean> {
  const began = performance.now()
  const error = await failure(work)
  return error instanceof StoreUnavailable && performance.now() - began < ms
}

t.test('PostgreSQL', async t => {
  const cluster: Cluster = await startPostgres(t)
  const fresh = async () => cluster.url(await cluster.database())

  await t.test('one for the suite', async t => {
    const name = await cluster.database()
    // Opened once: connections are what costs. Each case finds the tables empty.
    // What they do is looked at here, and not how soon a busy machine does it.
    const relaxed = { patient: true, connectMs: 120_000 }
    await (await open(cluster.url(name))).close()
    const stores = await Promise.all([1, 2, 3].map(() => openPostgres(cluster.url(name), log, relaxed)))
    t.teardown(() => Promise.all(stores.map(store => store.close())))
    const say = await cluster.connected(name, t)
    const opener = async () => {
      await say(empty)
      let given = 0
      return { store: stores[0]!, replica: async () => stores[++given]! }
    }
    await storeConformance('PostgreSQL', opener, t)
  })

  await t.test('six that start at once on an empty database make its tables once', async t => {
    const url = await fresh()
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(url)))
    for (const store of stores) await put(store, message())
    t.ok((await stores[0]!.read(CompiledQuery.raw('select name from migrations'))).length > 5)
    t.strictSame(await migrate(stores[5]!), [])
    await Promise.all(stores.map(store => store.close()))
  })

  await t.test(
    'a start waits for the long migration of another; with the limits of requests it would give up',
    async t => {
      const name = await cluster.database()
      const hold = 'begin; select pg_advisory_xact_lock(7305551); select pg_sleep(2.6); commit'
      const other = cluster.query(hold, name)
      const locked = `select 1 from pg_locks where locktype = 'advisory' and granted`
      t.ok(await until(async () => (await cluster.query(locked, name)).length > 0))
      const impatient = await openPostgres(cluster.url(name), log)
      const [store, refused] = await Promise.all([open(cluster.url(name)), failure(migrate(impatient)), other])
      t.ok(refused instanceof StoreUnavailable, 'control')
      await put(store, message())
      await Promise.all([store.close(), impatient.close()])
    }
  )

  await t.test('a connection that is cut in the middle of a unit ends the unit, not the process', async t => {
    const url = await fresh()
    const store = await open(url)
    const row = message()
    const unit = store.write(function* () {
      yield store.build.insertInto('messages').values(row).compile()
      yield CompiledQuery.raw('select pg_sleep(4)')
    })
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep(4)%'`
    const refused = unavailable(unit, 4000)
    t.ok(await until(async () => (await cluster.query(cut)).length > 0))
    t.ok(await refused)
    t.equal(await get(store, row.id), undefined)
    await put(store, row)
    await store.close()
  })

  await t.test('a network that breaks in the middle of a unit ends the unit, not the process', async t => {
    const name = await cluster.database()
    const between = await network(cluster.url(name))
    t.teardown(between.close)
    const store = await open(between.url)
    const refused = unavailable(raw(store, 'select pg_sleep(4)'), 4000)
    const asleep = `select 1 from pg_stat_activity where datname = '${name}' and wait_event = 'PgSleep'`
    t.ok(await until(async () => (await cluster.query(asleep)).length > 0))
    between.cut()
    t.ok(await refused)
    await put(store, message())
    await store.close()
  })

  await t.test('a claim does not wait for a row that another is just taking', async t => {
    const name = await cluster.database()
    const store = await open(cluster.url(name))
    const [first, second] = [await put(store, message({ run_at: 1 })), await put(store, message({ run_at: 2 }))]
    const other = cluster.query(
      `begin; select id from messages where id = '${first.id}' for update; select pg_sleep(1); commit`,
      name
    )
    const asleep = `select 1 from pg_stat_activity where datname = '${name}' and wait_event = 'PgSleep'`
    t.ok(await until(async () => (await cluster.query(asleep)).length > 0))
    const claim = queueQueries(store).claim({ queue: line, limit: 1, lease_ms: 60_000 })
    t.match(await returned(store, claim), [{ id: second.id }])
    await other
    t.match(await returned(store, claim), [{ id: first.id }])
    await store.close()
  })

  await t.test('a server that became read-only is StoreUnavailable, and the probe finds it out', async t => {
    const store = await open(await fresh())
    await store.probe()
    await cluster.query('alter system set default_transaction_read_only = on')
    await cluster.query('select pg_reload_conf()')
    t.ok(await until(async () => (await store.probe().catch(error => error)) instanceof StoreUnavailable))
    t.ok(await unavailable(put(store, message()), 2000))
    t.strictSame(await store.read(CompiledQuery.raw('select id from messages')), [])
    await cluster.query('alter system reset default_transaction_read_only')
    await cluster.query('select pg_reload_conf()')
    t.ok(
      await until(() =>
        put(store, message()).then(
          () => true,
          () => false
        )
      )
    )
    await store.probe()
    await store.close()
  })

  await t.test(
    'a word is heard by every process once its unit has committed, and after a lost connection too',
    async t => {
      const name = await cluster.database()
      const [one, two] = [await open(cluster.url(name)), await open(cluster.url(name))]
      const heard: string[] = []
      two.notifications!.subscribe(word => heard.push(word))
      const say = (word: string, fail = false) =>
        one.write(function* () {
          yield one.notifications!.publish(word)
          if (fail) throw new Error('no')
        })
      const listening = `select pid from pg_stat_activity where application_name = 'switchboard words' and datname = '${name}'`
      t.ok(await until(async () => (await cluster.query(listening)).length === 1))
      const saidUntilHeard = (word: string) => until(() => say(word).then(() => heard.includes(word)))
      t.ok(await saidUntilHeard('first'))
      await t.rejects(say('never', true))
      await cluster.query(`select pg_terminate_backend(pid) from (${listening}) as it`)
      t.ok(await saidUntilHeard('after'))
      t.notOk(heard.includes('never'))
      await one.close()
      await two.close()
    }
  )

  await t.test('a database that is not there and a wrong password are told as they are', async t => {
    const url = cluster.url('nowhere')
    t.match(await failure(open(url)), { message: 'DATABASE_URL: there is no such database (3D000)' })
    t.match(await failure(open(url.replace(':postgres@', ':wrong@'))), {
      message: 'DATABASE_URL: the server refuses the password (28P01)'
    })
  })

  await t.test('commits are durable before they are answered, whatever the server’s own default', async t => {
    const name = await cluster.database()
    await cluster.query(`alter database ${name} set synchronous_commit = off`)
    const store = await open(cluster.url(name))
    const [inside] = await returned(store, CompiledQuery.raw('show synchronous_commit'))
    t.match(inside, { synchronous_commit: 'on' })
    t.match(await cluster.query('show synchronous_commit', name), [{ synchronous_commit: 'off' }], 'control')
    await store.close()
  })

  await t.test('what is due, late or abandoned is found by an index, however many messages there are', async t => {
    const store = await open(await fresh())
    const { claim, heads, expireDue, abandoned } = queueQueries(store)
    const later = Date.now() + 3600_000
    await put(store, message({ id: 'msg_0', run_at: later, expires_at: later }))
    const [columns] = (await store.read(
      CompiledQuery.raw(
        `select string_agg(column_name, ', ' order by ordinal_position) as names from information_schema.columns
         where table_name = 'messages' and column_name <> 'id'`
      )
    )) as { names: string }[]
    const copy = `insert into messages (id, ${columns!.names}) select 'msg_' || n, ${columns!.names}
      from messages, generate_series(1, 20000) n`
    await raw(store, copy)
    await raw(store, 'analyze messages')
    const plan = async ({ sql, parameters }: CompiledQuery) =>
      JSON.stringify(await store.read({ ...CompiledQuery.raw(`explain ${sql}`), parameters }))
    t.match(await plan(claim({ queue: line, limit: 10, lease_ms: 1 })), /Index.*messages_queue.*Index Cond: \(\(queue/)
    const ofLines = async () => plan(heads({ from: 'live/', to: 'live0', limit: 100 }))
    t.match(await ofLines(), /messages_queue/)
    t.notMatch(await ofLines(), /Seq Scan|messages_expiry/)
    t.match(await plan(expireDue({ entry: '' })), /messages_expiry/)
    t.match(await plan(abandoned('sending', false)), /messages_lease/)
    // Few wait, in many lines: neither all messages nor all that wait are looked at for each of them.
    await raw(store, `update messages set state = 'accepted', queue = '' where id not like '%00'`)
    await raw(store, `update messages set run_at = 1, queue = queue || id where state = 'queued'`)
    await raw(store, 'analyze messages')
    t.match(await ofLines(), /messages_queue/)
    t.notMatch(await ofLines(), /Seq Scan|messages_expiry/)
    t.equal((await store.read(heads({ from: 'live/', to: 'live0', limit: 1000 }))).length, 200)
    await store.close()
  })

  await t.test('a network that falls silent is StoreUnavailable, not a wait without end', async t => {
    const between = await network(await fresh())
    t.teardown(between.close)
    const store = await open(between.url)
    await Promise.all([put(store, message()), put(store, message()), store.read(CompiledQuery.raw('select 1'))])
    between.swallow()
    const work = [put(store, message()), store.read(CompiledQuery.raw('select 1')), store.probe()]
    t.strictSame(await Promise.all(work.map(one => unavailable(one, 8000))), [true, true, true])
    await store.close()
  })

  await t.test('what holds up everything else leaves room for the door of webhooks and the probe', async t => {
    const name = await cluster.database()
    await (await open(cluster.url(name))).close()
    // Without limits of time: what is held up stays that until it is let go.
    const store = await openPostgres(cluster.url(name), log, { patient: true, connectMs: 120_000 })
    t.teardown(() => store.close())
    // Nobody's own: somebody makes an index, say.
    const say = await cluster.connected(name, t)
    await say('begin; lock table messages in access exclusive mode')
    const ask = CompiledQuery.raw('select count(*) from messages')
    const heldUp = Array.from({ length: 10 }, () => store.read(ask))
    await until(async () => store.gauges().pool!.open === 10 && store.gauges().pool!.idle === 0)
    const one = CompiledQuery.raw('select 1 as one')
    let answered = false
    const control = store.read(one).then(() => {
      answered = true
    })
    const write = () =>
      store.reserved.write(function* () {
        return (yield one).rows
      })
    t.strictSame(await Promise.all([store.reserved.read(one), write(), store.probe()]), [
      [{ one: 1 }],
      [{ one: 1 }],
      undefined
    ])
    t.notOk(answered, 'CONTROL: anything else waits for a connection')
    await say('rollback')
    await Promise.all([...heldUp, control])
    t.ok(answered, 'until what was held up is let go')
  })

  await t.test('a restart of the server is a pause, for one and the same store', async t => {
    const store = await open(await fresh())
    const row = await put(store, message())
    const underWay = Array.from({ length: 20 }, () => put(store, message()).catch(error => error))
    await cluster.stop()
    for (const result of await Promise.all(underWay))
      t.ok(!(result instanceof Error) || result instanceof StoreUnavailable)
    const work = [put(store, message()), get(store, row.id), store.probe()]
    t.strictSame(await Promise.all(work.map(one => unavailable(one, 5000))), [true, true, true])
    await cluster.start()
    t.equal((await get(store, row.id)).id, row.id)
    await put(store, message())
    await store.probe()
    await store.close()
  })
})
