import { CompiledQuery, sql } from 'kysely'
import { ServiceError } from '../../src/errors.ts'
import { type Migration, migrate } from '../../src/store/migrations.ts'
import { all, change, first, StoreUnavailable } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, countedSince, failure, get, message, put, returned } from './store-rows.ts'

/** Transactions: all or nothing, the error to its author, the neighbours unharmed. */
export function unitCases(test: Case): void {
  test('to migrate again changes nothing', async (t, { store }) => {
    t.strictSame(await migrate(store), [])
  })

  test('a migration that fails keeps nothing of itself and all of those before it, and is taken up again', async (t, {
    store
  }) => {
    const good: Migration = { name: '901', statements: ({ int }) => [`create table one (n ${int})`] }
    const bad: Migration = {
      name: '902',
      statements: ({ int }) => [`create table two (n ${int})`, 'create table two (n text)']
    }
    const error = await failure(migrate(store, [good, bad]))
    t.notOk(error instanceof StoreUnavailable)
    await t.resolves(store.read(CompiledQuery.raw('select * from one')))
    await t.rejects(store.read(CompiledQuery.raw('select * from two')))
    const mended: Migration = { name: '902', statements: ({ int }) => [`create table two (n ${int})`] }
    t.strictSame(await migrate(store, [good, mended]), ['902'])
    await t.resolves(store.read(CompiledQuery.raw('select * from two')))
  })

  test('a unit gives back what it returns', async (t, { store }) => {
    const value = await store.write(function* () {
      yield store.build.selectFrom('messages').select('id').compile()
      return { some: 'thing' }
    })
    t.strictSame(value, { some: 'thing' })
  })

  test('a unit without a query is a unit', async (t, { store }) => {
    // biome-ignore lint/correctness/useYield: that is the case
    const unit = function* () {
      return 7
    }
    t.equal(await store.write(unit), 7)
  })

  test('a unit sees what it wrote before', async (t, { store }) => {
    const row = message()
    const seen = await store.write(function* () {
      yield store.build.insertInto('messages').values(row).compile()
      return yield* first(store.build.selectFrom('messages').select('id').where('id', '=', row.id))
    })
    t.strictSame({ ...seen }, { id: row.id })
  })

  test('what a write resolved for is there for the next read', async (t, { store }) => {
    for (let i = 0; i < 20; i++) {
      const row = await put(store, message())
      t.equal((await get(store, row.id)).id, row.id)
    }
  })

  test('an error in the middle keeps nothing, and reaches its author as it is', async (t, { store }) => {
    const errors = [
      new Error('in the middle'),
      new ServiceError('conflict', 'no'),
      Object.assign(new TypeError('odd'), { code: 'ERR_ODD' })
    ]
    for (const thrown of errors) {
      const error = await failure(
        store.write(function* () {
          yield store.build.insertInto('messages').values(message()).compile()
          throw thrown
        })
      )
      t.equal(error, thrown)
    }
    t.strictSame(await store.read(store.build.selectFrom('messages').select('id').compile()), [])
  })

  test('an error before the first query reaches its author', async (t, { store }) => {
    const thrown = new Error('at once')
    // biome-ignore lint/correctness/useYield: that is the case
    const unit = function* () {
      throw thrown
    }
    t.equal(await failure(store.write(unit)), thrown)
  })

  test('a row that is there already is a fault of the query, and takes its whole unit with it', async (t, {
    store
  }) => {
    const row = await put(store, message())
    const other = message()
    const error = await failure(
      store.write(function* () {
        yield store.build.insertInto('messages').values(other).compile()
        yield store.build.insertInto('messages').values(row).compile()
      })
    )
    t.notOk(error instanceof StoreUnavailable)
    t.equal(await get(store, other.id), undefined)
  })

  test('a query that is not one is a fault, not an absent store', async (t, { store }) => {
    const query = CompiledQuery.raw('select nothing from nowhere')
    t.notOk((await failure(store.read(query))) instanceof StoreUnavailable)
    t.notOk((await failure(changed(store, query))) instanceof StoreUnavailable)
  })

  test('fifty failed units leave nothing behind that the next would feel', async (t, { store }) => {
    const failed = await Promise.allSettled(
      Array.from({ length: 50 }, () => changed(store, CompiledQuery.raw('select nothing from nowhere')))
    )
    t.ok(failed.every(({ status }) => status === 'rejected'))
    await Promise.all(Array.from({ length: 30 }, () => put(store, message())))
    t.equal((await store.read(store.build.selectFrom('messages').select('id').compile())).length, 30)
  })

  test('faulty units do not fail their neighbours of the same tick', async (t, { store }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) =>
        store.write(function* () {
          yield store.build
            .insertInto('messages')
            .values(message({ reference: String(i) }))
            .compile()
          if (i % 10 === 3) throw new Error(`unit ${i}`)
          return i
        })
      )
    )
    for (const [i, result] of results.entries()) {
      if (i % 10 === 3) t.match(result, { status: 'rejected', reason: { message: `unit ${i}` } })
      else t.match(result, { status: 'fulfilled', value: i })
    }
    t.equal((await store.read(store.build.selectFrom('messages').select('id').compile())).length, 54)
  })

  test('two hundred units that count up one row at once lose no step', async (t, { store }) => {
    const row = await put(store, message())
    const step = store.build
      .updateTable('messages')
      .set({ attempts: sql<number>`attempts + 1` })
      .where('id', '=', row.id)
      .compile()
    await Promise.all(Array.from({ length: 200 }, () => changed(store, step)))
    t.equal((await get(store, row.id)).attempts, 200)
  })

  test('units that take the same rows in opposite order all come through', async (t, { store }) => {
    const [one, two] = [await put(store, message()), await put(store, message())]
    const step = (id: string) =>
      store.build.updateTable('messages').set({ attempts: sql<number>`attempts + 1` }).where('id', '=', id)
    await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        store.write(function* () {
          yield* change(step((i % 2 ? one : two).id))
          yield* change(step((i % 2 ? two : one).id))
        })
      )
    )
    t.equal((await get(store, one.id)).attempts, 6)
    t.equal((await get(store, two.id)).attempts, 6)
  })

  test('reads and writes in a crowd all get their turn', async (t, { store }) => {
    const row = await put(store, message())
    const work = Array.from({ length: 300 }, (_, i) =>
      i % 3 ? get(store, row.id).then(found => found.id) : put(store, message()).then(() => row.id)
    )
    t.strictSame([...new Set(await Promise.all(work))], [row.id])
  })

  test('how many rows changed is told: three, one, none, and those returned', async (t, { store }) => {
    for (const channel_id of ['a', 'a', 'a', 'b']) await put(store, message({ channel_id }))
    const pause = (id: string) => store.build.updateTable('messages').set({ final: 1 }).where('channel_id', '=', id)
    t.equal(await changed(store, pause('a')), 3)
    t.equal(await changed(store, pause('b')), 1)
    t.equal(await changed(store, pause('c')), 0)
    t.equal(await changed(store, pause('a').returning('id')), 3)
    t.equal((await returned(store, pause('a').returning('id'))).length, 3)
    t.equal(await changed(store, store.build.deleteFrom('messages')), 4)
  })

  test('an insert that finds its row there changes none, and does not fail where it need not', async (t, { store }) => {
    const row = await put(store, message())
    const again = store.build.insertInto('messages').values(row)
    t.equal(
      await changed(
        store,
        again.onConflict(conflict => conflict.doNothing())
      ),
      0
    )
  })

  test('the database clock is near ours, whole, and goes on', async (t, { store }) => {
    const look = async () =>
      (await store.read(sql<{ now: number }>`select ${store.now} as now`.compile(store.build)))[0]!
    const since = Date.now()
    const before = await look()
    t.ok(Number.isInteger(before.now))
    t.ok(countedSince(since, before.now), 'within half a second')
    await put(store, message())
    t.ok((await look()).now >= before.now)
    const [inside] = await store.write(function* () {
      return yield* all(sql<{ now: number }>`select ${store.now} as now`.compile(store.build))
    })
    t.ok(countedSince(before.now, inside!.now))
  })

  test('the probe finds a store that can be written to', async (t, { store }) => {
    await t.resolves(store.probe())
  })
}
