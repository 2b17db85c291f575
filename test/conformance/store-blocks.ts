import { createRateLimiter, earliest, type RateLimiter } from '../../src/delivery/scheduling/rate-limiter.ts'
import { blockKey, blockKeysOf, blockQueries } from '../../src/messages/blocks.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { queueOf, queueQueries } from '../../src/messages/queue.ts'
import { unsuppressed } from '../../src/messages/suppressed.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, countedSince, entry, message, put } from './store-rows.ts'

const hour = 3600_000

/** What stands in a message's way, and whose turn it is. */
export function blockCases(test: Case): void {
  const dispatch = (store: Store, row: MessageRow) =>
    changed(
      store,
      messageQueries(store).dispatch({
        id: row.id,
        attempts: 0,
        next: 1,
        lease_ms: 60_000,
        entry,
        ...blockKeysOf(row),
        ...unsuppressed
      })
    )
  const stop = (store: Store, key: string) =>
    changed(store, blockQueries(store).stop({ key, detail: 'because', at: Date.now() }))
  const raiseFor = (store: Store, key: string, forMs: number) =>
    changed(store, blockQueries(store).raise({ key, forMs, detail: null, at: Date.now() }))
  const raise = (store: Store, key: string, until: number) => raiseFor(store, key, until - Date.now())
  const lift = (store: Store, key: string) => changed(store, blockQueries(store).lift({ key }))

  test('each thing that can stand in a message’s way keeps it from being dispatched, until it is lifted', async (t, {
    store
  }) => {
    const row = await put(store, message({ state: 'claimed', broadcast_id: 'brd_1' }))
    for (const [name, key] of Object.entries(blockKeysOf(row))) {
      await stop(store, key as string)
      t.equal(await dispatch(store, row), 0, name)
      await lift(store, key as string)
    }
    for (const key of [blockKey.channel('other'), blockKey.broadcast('brd_2'), blockKey.account('test')])
      await stop(store, key)
    t.equal(await dispatch(store, row), 1, 'what concerns others does not')
  })

  test('one that has an end is over then; a longer one is not made shorter, nor one that has to be lifted', async (t, {
    store
  }) => {
    const row = await put(store, message({ state: 'claimed' }))
    const key = blockKey.account('live')
    await raise(store, key, Date.now() - 1000)
    t.strictSame(await store.read(blockQueries(store).of(blockKeysOf(row))), [])
    const since = Date.now()
    await raiseFor(store, key, hour)
    await raiseFor(store, key, hour / 2)
    const [block] = await store.read(blockQueries(store).all({}))
    t.ok(countedSince(since, block!.until!, hour), 'by the clock of the store, and the shorter one does not end it')
    const end = since + hour
    await stop(store, key)
    await raise(store, key, end)
    t.match(await store.read(blockQueries(store).of(blockKeysOf(row))), [{ key, until: null, detail: 'because' }])
    t.equal(await dispatch(store, row), 0)
  })

  test('every line shows its first due message, and only that', async (t, { store }) => {
    const lines = [
      { service: 'a', channel_id: 'x' },
      { service: 'a', channel_id: 'y' },
      { service: 'b', channel_id: 'x' },
      { service: 'b', channel_id: 'x', lane: 1, broadcast_id: 'brd_1' },
      { service: 'a', channel_id: 'x', mode: 'test' as const }
    ]
    const wanted: string[] = []
    for (const [i, line] of lines.entries()) {
      const rows = [3, 1, 2].map((order, n) => {
        const row = message({ ...line, run_at: 1000 + order, contact: `49${i}${n}` })
        return { ...row, queue: queueOf(row) }
      })
      for (const row of rows) await put(store, row)
      if (line.mode !== 'test') wanted.push(rows[1]!.id)
    }
    await put(store, { ...message({ service: 'later', run_at: Date.now() + hour }), queue: 'live/0/later/x/' })
    await put(store, { ...message({ service: 'late', expires_at: 1000 }), queue: 'live/0/late/x/' })
    const heads = await store.read(queueQueries(store).heads({ from: 'live/', to: 'live0', limit: 100 }))
    t.strictSame(heads.map(({ id }) => id).sort(), wanted.sort())
    t.strictSame(await store.read(queueQueries(store).heads({ from: 'none/', to: 'none0', limit: 100 })), [])
  })

  test('twenty at once are given twenty slots, and no eleven of them within the window', async (t, { store }) => {
    const pace = createRateLimiter(store, 10)
    const limit = pace.account('live')!
    const take = () =>
      store.write(function* () {
        const ledger = yield* pace.open(limit)
        const at = earliest(ledger, false)
        yield* pace.book(ledger, at, 0)
        return at
      })
    const slots = (await Promise.all(Array.from({ length: 20 }, take))).sort((a, b) => a - b)
    for (let i = 10; i < slots.length; i++) t.ok(slots[i]! - slots[i - 10]! >= limit.windowMs)
    t.ok(slots.at(-1)! - slots[0]! < 3 * limit.windowMs, 'none is given away for nothing')
  })

  /** The hand clock of these: an hour ahead, so that no machine is too slow for it. */
  const origin = performance.now() + 3600_000
  /** A limit as processes with slots in it see it. */
  const shared = (store: Store, of: RateLimiter) => {
    const limit = of.account('live')!
    const open = (by: RateLimiter) =>
      store.write(function* () {
        return yield* by.open(limit)
      })
    return {
      logOf: async (by = of) => (await open(by)).log,
      windowOf: async (by = of) => (await open(by)).limit.windowMs,
      /** A slot that may be used for 60 ms more when it is given away. */
      book: (by = of) =>
        store.write(function* () {
          const ledger = yield* by.open(limit)
          return { at: 0, until: origin + 100, slot: yield* by.book(ledger, ledger.now, 60), now: ledger.now }
        })
    }
  }
  const sends = { kind: 'cloud/sendMessage', ok: true }
  const stands = (log: number[], at: number) => log.some(each => Math.abs(each - at) < 0.01)

  test('the log holds when a call can have arrived at the latest: less once it has left', async (t, { store }) => {
    const [pace, other] = [createRateLimiter(store, 10), createRateLimiter(store, 10)]
    const { logOf, book } = shared(store, pace)
    const [first, second] = [await book(), await book()]
    const most = first.slot.entry - first.now - 60
    t.ok(most >= 100 && most < 101, `the first may lose ${most} ms on their way`)
    pace.left(first, origin + 40)
    pace.left(second, origin + 80)
    const left = [first.slot.entry - 60, second.slot.entry - 20]
    t.notOk(stands(await logOf(other), left[0]!), 'another process does not know yet')
    for (const at of left) t.ok(stands(await logOf(), at))
    await book()
    for (const at of left) t.ok(stands(await logOf(other), at), 'now it does')
    pace.left(second, origin + 90)
    pace.left(second, origin + 130)
    await book()
    t.ok(stands(await logOf(other), second.slot.entry + 30), 'its connection had to be made: the last word counts')
    pace.left({ at: 0, until: origin + 100 }, origin)
    pace.answered({ at: 0, until: origin + 100 }, sends, origin)
    pace.answered(await book(), sends, origin)
    t.equal((await logOf()).length, 5)
  })

  test('a call that leaves long after its entry was dropped stands in the log again', async (t, { store }) => {
    const pace = createRateLimiter(store, 10)
    const { logOf, book } = shared(store, pace)
    const slow = await book()
    pace.left(slow, origin + 40)
    for (let i = 0; i < 10; i++) await book()
    const at = slow.slot.entry + 900
    t.notOk(stands(await logOf(), at))
    pace.left(slow, origin + 1000)
    t.ok(stands(await logOf(), at))
    await book()
    t.ok(stands(await logOf(createRateLimiter(store, 10)), at), 'for all')
  })

  test('what a call can have lost on its way is known by its answer, and by what is usual for its kind', async (t, {
    store
  }) => {
    const pace = createRateLimiter(store, 10)
    const { logOf, book } = shared(store, pace)
    /** One call that is answered after so long; tells by how much its entry lies behind its leaving, before and after that. */
    const call = async (took: number, answer = sends) => {
      const { slot, ...permit } = await book()
      pace.left({ ...permit, slot }, origin + 70)
      const left = slot.entry - 30 - slot.wayMs
      const booked = slot.wayMs
      t.ok(stands(await logOf(), left + booked), `${took}: before its answer`)
      pace.answered({ ...permit, slot }, answer, origin + 70 + took)
      const after = slot.wayMs
      t.ok(stands(await logOf(), left + after), `${took}: after it`)
      pace.answered({ ...permit, slot }, answer, origin + 10_000)
      t.equal(slot.wayMs, after, 'a second answer is none')
      return { booked, after }
    }
    for (let i = 0; i < 9; i++)
      t.strictSame(await call(20), { booked: 100, after: 20 }, 'the first: as long as it took')
    t.strictSame(await call(3000), { booked: 100, after: 500 }, 'at most half a second')
    const { booked } = await call(20)
    t.ok(booked >= 16 && booked <= 40, `${booked}`)
    t.equal((await call(27)).after, 7, 'so much longer than the quickest')
    t.equal((await call(5)).after, 0, 'never before it left')
    t.equal((await call(4000)).after, booked, 'of a slow one nobody can tell')
    t.equal((await call(1, { ...sends, ok: false })).after, 0)
    t.equal((await call(6)).after, 1, 'a refusal does not say what is usual')
    t.equal((await call(5, { kind: 'cloud/getProfile', ok: true })).after, booked, 'of another kind nothing is known')
  })

  test('two windows lie further apart where others have slots, and after a refusal', async (t, { store }) => {
    const [pace, other] = [createRateLimiter(store, 10), createRateLimiter(store, 10)]
    const { windowOf, book } = shared(store, pace)
    await book()
    t.equal(await windowOf(), 1004)
    t.equal(await windowOf(other), 1016, 'whose way may be longer')
    pace.punctuality.disagreed('live')
    t.ok(pace.account('live')!.windowMs > 1020)
    t.equal(pace.account('test')!.windowMs, 1004)
  })
}
