import { messageQueries } from '../../src/messages/queries.ts'
import { queueQueries } from '../../src/messages/queue.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, countedSince, entry, get, line, message, put, returned } from './store-rows.ts'

const hour = 3600_000
const claim = (store: Store, limit: number): Promise<MessageRow[]> =>
  returned(store, queueQueries(store).claim({ queue: line, limit, lease_ms: 60_000 }))

/** Claims until nothing is left, as one worker does. */
async function drain(store: Store, limit: number, take = claim): Promise<string[]> {
  const ids: string[] = []
  for (;;) {
    const rows = await take(store, limit)
    if (rows.length === 0) return ids
    ids.push(...rows.map(({ id }) => id))
  }
}
const fill = (store: Store, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => put(store, message({ run_at: 1000 + i }))))

/** Who may take what waits, and what becomes of the work of the dead (docs/reliability.md P29). */
export function queueCases(test: Case): void {
  test('a claim takes what is due, leases it and gives it back whole', async (t, { store }) => {
    const row = await put(store, message({ reference: 'r' }))
    const since = Date.now()
    const [taken, ...more] = await claim(store, 10)
    t.strictSame(more, [])
    t.match(taken, { id: row.id, reference: 'r', state: 'claimed', attempts: 0 })
    t.ok(countedSince(since, taken!.lease_until!, 60_000))
    t.strictSame({ ...(await get(store, row.id)) }, { ...taken })
  })

  test('a claim leaves what is not due yet, what has expired, and what is not queued', async (t, { store }) => {
    await put(store, message({ run_at: Date.now() + hour }))
    await put(store, message({ expires_at: Date.now() - 1000 }))
    for (const state of ['claimed', 'sending', 'accepted', 'failed', 'unknown', 'canceled', 'expired'] as const)
      await put(store, message({ state }), -1)
    t.strictSame(await claim(store, 10), [])
    const due = await put(store, message({ expires_at: Date.now() + hour }))
    t.match(await claim(store, 10), [{ id: due.id }])
  })

  test('a claim takes the longest due first, and of equals the older', async (t, { store }) => {
    const equal = [message({ run_at: 500 }), message({ run_at: 500 }), message({ run_at: 500 })]
    for (const row of [equal[2]!, equal[0]!, equal[1]!]) await put(store, row)
    const first = await put(store, message({ run_at: 100 }))
    const last = await put(store, message({ run_at: 900 }))
    const order = await drain(store, 1)
    t.strictSame(order, [first.id, ...equal.map(({ id }) => id), last.id])
  })

  test('what is put off until its window opens is not claimed, and does not expire because of that', async (t, {
    store
  }) => {
    const queries = queueQueries(store)
    const now = Date.now()
    const [opens, day] = [now + 10 * hour, 24 * hour]
    const first = await put(store, message({ run_at: 500, expires_at: now + hour }))
    const second = await put(store, message({ run_at: 600, expires_at: opens + 2 * day }))
    const third = await put(store, message({ run_at: 700, expires_at: now + hour }))
    await put(store, message({ expires_at: now - 1000 }))
    const due = await store.read(queries.due({ queue: line, limit: 10 }))
    t.strictSame(
      due.map(({ id, contact }) => [id, contact]),
      [first, second, third].map(({ id, contact }) => [id, contact])
    )
    t.equal(await changed(store, queries.putOff({ ids: [first.id, second.id], run_at: opens })), 2)
    t.match(await get(store, first.id), { state: 'queued', run_at: opens, expires_at: opens + day })
    t.match(await get(store, second.id), { run_at: opens, expires_at: opens + 2 * day }, 'its own expiry is later')
    t.match(await claim(store, 10), [{ id: third.id }])
    t.same(await store.read(queries.dueTimes({ queue: 'none' })), [{ first: null, last: null }])
    const [times] = await store.read(queries.dueTimes({ queue: line }))
    t.equal(Number(times?.last), opens)
  })

  test('a claim takes no more than it may, also where many wait', async (t, { store }) => {
    await fill(store, 60)
    t.equal((await claim(store, 7)).length, 7)
    t.equal((await claim(store, 50)).length, 50)
    t.equal((await claim(store, 50)).length, 3)
    t.equal((await claim(store, 50)).length, 0)
  })

  test('eight claimers at once take each message once; look first and take then would take it twice', async (t, {
    store
  }) => {
    const rows = await fill(store, 120)
    const taken = (await Promise.all(Array.from({ length: 8 }, () => drain(store, 3)))).flat()
    t.equal(taken.length, 120)
    t.strictSame(taken.sort(), rows.map(({ id }) => id).sort())

    await fill(store, 30)
    const naive = async (of: Store, limit: number): Promise<MessageRow[]> => {
      const due = of.build.selectFrom('messages').selectAll().where('state', '=', 'queued').limit(limit)
      const found = await of.read(due.compile())
      for (const { id } of found)
        await changed(of, of.build.updateTable('messages').set({ state: 'claimed' }).where('id', '=', id))
      return found
    }
    const twice = (await Promise.all(Array.from({ length: 8 }, () => drain(store, 3, naive)))).flat()
    t.ok(twice.length > 30, `control: ${twice.length} claims of 30 messages`)
  })

  test('claimers of two processes share the work and never a message', async (t, { store, replica }) => {
    if (!replica) return t.pass('this database is of one process')
    const other = await replica()
    const rows = await fill(store, 200)
    const workers = Array.from({ length: 8 }, (_, i) => drain(i % 2 ? store : other, 5))
    const taken = (await Promise.all(workers)).flat()
    t.equal(taken.length, 200)
    t.equal(new Set(taken).size, 200)
    t.equal(rows.length, 200)
  })

  test('expireDue ends what waited too long, and nothing else', async (t, { store }) => {
    const late = await put(store, message({ expires_at: Date.now() - 1000, run_at: Date.now() + hour }))
    const rest = [
      await put(store, message({ expires_at: Date.now() + hour })),
      await put(store, message()),
      await put(store, message({ state: 'claimed', expires_at: Date.now() - 1000 })),
      await put(store, message({ state: 'sending', expires_at: Date.now() - 1000 }))
    ]
    t.match(await returned(store, queueQueries(store).expireDue({ entry })), [
      { id: late.id, state: 'expired', final: 1 }
    ])
    for (const { id, state } of rest) t.equal((await get(store, id)).state, state)
    t.strictSame(await returned(store, queueQueries(store).expireDue({ entry })), [])
  })

  test('abandoned finds those whose lease is over, and at a lone start everybody', async (t, { store }) => {
    const { abandoned } = queueQueries(store)
    const dead = await put(store, message({ state: 'sending' }), -1)
    const alive = await put(store, message({ state: 'sending' }), 60_000)
    const claimed = await put(store, message({ state: 'claimed' }), -1)
    const ids = async (query: ReturnType<typeof abandoned>) => (await store.read(query)).map(({ id }) => id)
    t.strictSame(await ids(abandoned('sending', false)), [dead.id])
    t.strictSame((await ids(abandoned('sending', true))).sort(), [dead.id, alive.id].sort())
    t.strictSame(await ids(abandoned('claimed', false)), [claimed.id])
  })

  test('requeue gives back the claim of the dead, and never the one of somebody newer', async (t, { store }) => {
    const { requeue } = queueQueries(store)
    const row = await put(store, message({ state: 'claimed' }), -1)
    const lease = (await get(store, row.id)).lease_until!
    t.equal(await changed(store, requeue({ id: row.id, lease: lease - 1 })), 0)
    t.equal(await changed(store, requeue({ id: row.id, lease })), 1)
    t.match(await get(store, row.id), { state: 'queued', lease_until: null })
    t.equal(await changed(store, requeue({ id: row.id, lease })), 0)
  })

  test('requeue leaves what has been handed over alone', async (t, { store }) => {
    const row = await put(store, message({ state: 'sending' }), -1)
    const lease = (await get(store, row.id)).lease_until!
    t.equal(await changed(store, queueQueries(store).requeue({ id: row.id, lease })), 0)
  })

  test('forget makes unknown what was being sent, of the same attempt only', async (t, { store }) => {
    const { forget } = queueQueries(store)
    const row = await put(store, message({ state: 'sending', attempts: 2 }), -1)
    t.equal(await changed(store, forget({ id: row.id, attempts: 1, error: '{}', entry })), 0)
    t.equal(await changed(store, forget({ id: row.id, attempts: 2, error: '{"a":1}', entry })), 1)
    t.match(await get(store, row.id), { state: 'unknown', error: '{"a":1}', lease_until: null, attempts: 2 })
    for (const state of ['queued', 'claimed', 'accepted', 'unknown'] as const) {
      const other = await put(store, message({ state, attempts: 2 }))
      t.equal(await changed(store, forget({ id: other.id, attempts: 2, error: '{}', entry })), 0, state)
    }
  })

  test('of the sleeper that wakes and the one that gave it up, the result of the provider remains', async (t, {
    store
  }) => {
    const { forget, settle, settleLate } = { ...queueQueries(store), ...messageQueries(store) }
    for (let i = 0; i < 6; i++) {
      const row = await put(store, message({ state: 'sending', attempts: 1 }), -1)
      const result = {
        ...row,
        state: 'accepted' as const,
        provider_message_id: 'wamid.2',
        accepted_at: 1,
        entry
      }
      const wake = async () => (await changed(store, settle(result))) || (await changed(store, settleLate(result)))
      await Promise.all([changed(store, forget({ id: row.id, attempts: 1, error: '{}', entry })), wake()])
      t.match(await get(store, row.id), { state: 'accepted', provider_message_id: 'wamid.2' })
    }
  })

  test('a message that was claimed, given back and claimed again is claimed once', async (t, { store }) => {
    const row = await put(store, message())
    const [first] = await claim(store, 1)
    t.equal(await changed(store, queueQueries(store).requeue({ id: row.id, lease: first!.lease_until! })), 1)
    const [second] = await claim(store, 1)
    t.equal(second!.id, row.id)
    t.strictSame(await claim(store, 1), [])
  })
}
