import { createRateLimiter, earliest } from '../../src/delivery/scheduling/rate-limiter.ts'
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
        yield* pace.book(ledger, at)
        return at
      })
    const slots = (await Promise.all(Array.from({ length: 20 }, take))).sort((a, b) => a - b)
    for (let i = 10; i < slots.length; i++) t.ok(slots[i]! - slots[i - 10]! >= limit.windowMs)
    t.ok(slots.at(-1)! - slots[0]! < 3 * limit.windowMs, 'none is given away for nothing')
  })

  test('the log holds when a call can have reached the account at the latest: less once it has left, and once it is answered', async (t, {
    store
  }) => {
    const [pace, other] = [createRateLimiter(store, 10), createRateLimiter(store, 10)]
    const limit = pace.account('live')!
    const logOf = (of: typeof pace) =>
      store.write(function* () {
        return (yield* of.open(limit)).log
      })
    /** A slot that may be used for 60 ms more when it is given away. */
    const book = () =>
      store.write(function* () {
        const ledger = yield* pace.open(limit)
        return { at: 0, until: 100, slot: yield* pace.book(ledger, ledger.now + 60) }
      })
    const stands = (log: number[], entries: number[]) =>
      entries.map(entry => log.some(at => Math.abs(at - entry) < 0.01))

    const [first, second] = [await book(), await book()]
    pace.left(first, 40)
    pace.left(second, 80)
    const left = [first.slot.entry - 60, second.slot.entry - 20]
    t.strictSame(stands(await logOf(other), left), [false, false], 'another process does not know yet')
    t.strictSame(stands(await logOf(pace), left), [true, true])
    await book()
    t.strictSame(stands(await logOf(other), left), [true, true], 'now it does')

    pace.left(second, 90)
    pace.left(second, 130)
    await book()
    const later = second.slot.entry + 30
    t.strictSame(stands(await logOf(other), [later]), [true], 'its connection had to be made: the last word counts')

    // Ten are answered in 5 ms: that is usual from now on.
    for (let i = 0; i < 10; i++) {
      const usual = await book()
      pace.left(usual, 40)
      pace.arrived(usual, 45)
    }
    for (const [took, spareMs] of [
      [5, 0],
      [12, 7],
      [800, undefined]
    ] as const) {
      const call = await book()
      pace.left(call, 70)
      const { entry, wayMs } = call.slot
      t.strictSame(stands(await logOf(pace), [entry - 30]), [true], `${took}: before its answer`)
      pace.arrived(call, 70 + took)
      t.strictSame(stands(await logOf(pace), [entry - 30 - wayMs + (spareMs ?? wayMs)]), [true], `${took}: after it`)
      await book()
      t.strictSame(stands(await logOf(other), [entry - 30 - wayMs + (spareMs ?? wayMs)]), [true], `${took}: for all`)
    }
    pace.left({ at: 0, until: 100 }, 0)
    pace.arrived({ at: 0, until: 100 }, 0)
    pace.arrived(await book(), 0)
    t.equal((await logOf(pace)).length, 10)
  })
}
