import { broadcastQueries } from '../../src/broadcasts/queries.ts'
import { newId } from '../../src/ids.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { queueOf } from '../../src/messages/queue.ts'
import { batchSize, type Common } from '../../src/messages/transitions/broadcast.ts'
import type { BroadcastRow, MessageRow, MessageState } from '../../src/store/schema.ts'
import { all, first, type Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, entry, failure, get, message, put } from './store-rows.ts'

const hour = 3600_000
const caller: Caller = { keyId: 'key_1', service: 'billing', mode: 'live', scopes: new Set() }

export function broadcast(changes: Partial<BroadcastRow> = {}): BroadcastRow {
  return {
    id: newId('brd'),
    service: 'billing',
    key_id: 'key_1',
    mode: 'live',
    channel_id: 'support',
    name: 'May',
    template: '{"name":"order_update"}',
    status: 'running',
    total: 3,
    duplicates: 1,
    skipped: 2,
    suppressed: 0,
    sending_window: null,
    rate_per_second: null,
    start_at: null,
    created_at: Date.now(),
    started_at: Date.now(),
    finished_at: null,
    ...changes
  }
}
const add = async (store: Store, changes: Partial<BroadcastRow> = {}): Promise<BroadcastRow> => {
  const row = broadcast(changes)
  await changed(store, broadcastQueries(store).insert(row))
  return row
}
const byId = async (store: Store, id: string): Promise<BroadcastRow | undefined> =>
  (await store.read(broadcastQueries(store).byId({ id })))[0]
const commonOf = (row: BroadcastRow): Common => ({
  broadcast_id: row.id,
  template: 'x',
  service: row.service,
  key_id: row.key_id,
  mode: row.mode,
  channel_id: row.channel_id,
  provider: 'wati',
  queue: queueOf({ ...row, lane: 1, broadcast_id: row.id }),
  run_at: 1000,
  send_at: null,
  expires_at: 2000,
  traceparent: '00-1',
  created_at: 500
})
const rowsOf = (count: number, from = 0): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, i) => [
      newId('msg'),
      `1415${5_550_000 + from + i}`,
      `{"name":"x","variables":["${i} \\"ü😀"]}`,
      i % 2 ? `r${i}` : null
    ])
  )
const ofOne = async (store: Store, id: string, state: MessageState, count: number): Promise<MessageRow[]> => {
  const rows: MessageRow[] = []
  for (let i = 0; i < count; i++)
    rows.push(await put(store, message({ broadcast_id: id, contact: `${state} ${i}`, state })))
  return rows
}

/** Broadcasts: their rows, their messages in bulk, and who may change what. */
export function broadcastCases(test: Case): void {
  test('many messages in one statement are as they would be one by one', async (t, { store }) => {
    const { addMessages } = broadcastQueries(store)
    const row = await add(store)
    const common = commonOf(row)
    t.equal(await changed(store, addMessages({ ...common, rows: rowsOf(500) })), 500)
    const list = await store.read(broadcastQueries(store).messages(row.id, {}, { limit: 499 }))
    t.equal(list.length, 500)
    const last = list[0]!
    t.strictSame({ ...(await get(store, last.id)) }, { ...last })
    const { rows: _, ...shared } = { ...common, rows: '' }
    t.match(last, {
      ...shared,
      contact: '14155550499',
      reference: 'r499',
      content: '{"name":"x","variables":["499 \\"ü😀"]}'
    })
    t.match(last, {
      state: 'queued',
      final: 0,
      attempts: 0,
      lane: 1,
      direction: 'outbound',
      type: 'template',
      timeline: ''
    })
    t.match(list[1], { reference: null, contact: '14155550498' })
    const alone = message({
      ...common,
      id: newId('msg'),
      contact: '1',
      content: last.content,
      lane: 1,
      type: 'template'
    })
    await changed(store, messageQueries(store).insert({ ...alone, lease_ms: 0 }))
    t.strictSame(Object.keys({ ...(await get(store, alone.id)) }), Object.keys({ ...last }))
  })

  test('nobody stands in a broadcast twice, and of a batch with such a one nothing is kept', async (t, { store }) => {
    const { addMessages } = broadcastQueries(store)
    const row = await add(store)
    await changed(store, addMessages({ ...commonOf(row), rows: rowsOf(10) }))
    t.ok(await failure(changed(store, addMessages({ ...commonOf(row), rows: rowsOf(10, 9) }))))
    t.equal((await store.read(broadcastQueries(store).messages(row.id, {}, { limit: 99 }))).length, 10)
    const other = await add(store)
    t.equal(
      await changed(store, addMessages({ ...commonOf(other), rows: rowsOf(10) })),
      10,
      'CONTROL: another broadcast'
    )
  })

  test('a draft that was given up can neither be added to nor completed', async (t, { store }) => {
    const { keepDraft, completeDraft, condemn, deadDrafts, dropMessages, drop, addMessages } = broadcastQueries(store)
    const { id } = await add(store, { status: 'draft', started_at: Date.now() - hour })
    const complete = { id, status: 'running', started_at: 5 } as const
    t.match(await store.read(deadDrafts({ idle_ms: 60_000 })), [{ id }])
    t.equal(await changed(store, keepDraft({ id })), 1)
    t.strictSame(await store.read(deadDrafts({ idle_ms: 60_000 })), [], 'somebody is at work on it')
    t.match(await store.read(deadDrafts({ idle_ms: 0 })), [{ id }])
    await changed(store, addMessages({ ...commonOf(broadcast({ id })), rows: rowsOf(batchSize + 200) }))
    t.equal(await changed(store, condemn({ id })), 1)
    t.equal(await changed(store, keepDraft({ id })), 0)
    t.equal(await changed(store, completeDraft(complete)), 0)
    t.equal(await changed(store, dropMessages({ id })), batchSize)
    t.equal(await changed(store, dropMessages({ id })), 200)
    t.equal(await changed(store, drop({ id })), 1)
    t.equal(await byId(store, id), undefined)

    const other = await add(store, { status: 'draft' })
    t.equal(await changed(store, completeDraft({ ...complete, id: other.id })), 1, 'CONTROL')
    t.equal(await changed(store, condemn({ id: other.id })), 0, 'what is complete is no draft')
    t.equal(await changed(store, drop({ id: other.id })), 0)
  })

  test('the counts are by state, of one broadcast', async (t, { store }) => {
    const row = await add(store)
    await ofOne(store, row.id, 'queued', 3)
    await ofOne(store, row.id, 'accepted', 2)
    await ofOne(store, (await add(store)).id, 'failed', 4)
    const counts = await store.read(broadcastQueries(store).counts({ id: row.id }))
    t.strictSame(counts.map(({ state, count }) => [state, count]).sort(), [
      ['accepted', 2],
      ['queued', 3]
    ])
  })

  test('unsettled finds whatever may still go out', async (t, { store }) => {
    const { unsettled } = broadcastQueries(store)
    for (const state of ['queued', 'claimed', 'sending'] as const) {
      const { id } = await add(store)
      await ofOne(store, id, 'accepted', 2)
      t.strictSame(await store.read(unsettled({ id })), [])
      const [row] = await ofOne(store, id, state, 1)
      t.match(await store.read(unsettled({ id })), [{ id: row!.id }], state)
    }
  })

  test('cancelSome ends what is queued or claimed, some at a time, and nothing else', async (t, { store }) => {
    const { addMessages, cancelSome } = broadcastQueries(store)
    const row = await add(store)
    await changed(store, addMessages({ ...commonOf(row), rows: rowsOf(batchSize + 100) }))
    const [claimed] = await ofOne(store, row.id, 'claimed', 1)
    const rest = [await ofOne(store, row.id, 'sending', 1), await ofOne(store, row.id, 'unknown', 1)].flat()
    const [other] = await ofOne(store, (await add(store)).id, 'queued', 1)
    t.equal(await changed(store, cancelSome({ id: row.id, entry })), batchSize)
    t.equal(await changed(store, cancelSome({ id: row.id, entry })), 101)
    t.equal(await changed(store, cancelSome({ id: row.id, entry })), 0)
    t.match(await get(store, claimed!.id), { state: 'canceled', final: 1, lease_until: null, timeline: entry })
    for (const { id, state } of [...rest, other!]) t.equal((await get(store, id)).state, state)
  })

  test('retry brings back what failed, with a new expiry only where the old one has passed', async (t, { store }) => {
    const { failedAfter, retry } = broadcastQueries(store)
    const { id } = await add(store)
    const failed = { broadcast_id: id, state: 'failed', final: 1, error: '{}', failed_at: 1, attempts: 2 } as const
    const ahead = Date.now() + hour
    const rows = [
      await put(
        store,
        message({ ...failed, contact: '1', expires_at: 1000, provider_message_id: 'wamid.1', pricing: '{}' })
      ),
      await put(store, message({ ...failed, contact: '2', expires_at: ahead })),
      await put(store, message({ ...failed, contact: '3', state: 'unknown' })),
      await put(store, message({ ...failed, contact: '4', state: 'delivered' })),
      await put(store, message({ ...failed, contact: '5', expires_at: 1000 })),
      // Whose content is not kept any more, and whose number is another's by now.
      await put(store, message({ ...failed, contact: '6', content: null })),
      await put(store, message({ ...failed, contact: '7', user_id: 'US.7' })),
      await put(store, message({ ...failed, contact: 'US.8', user_id: 'US.8' }))
    ]
    const found = await store.read(failedAfter({ id, after: '' }))
    t.strictSame(
      found.map(each => each.id),
      [rows[0]!.id, rows[1]!.id, rows[4]!.id, rows[7]!.id]
    )
    const now = Date.now()
    const ids = [rows[0]!.id, rows[1]!.id, rows[3]!.id]
    t.equal(await changed(store, retry({ ids, run_at: now, expires_at: now + 5, entry })), 2)
    t.match(await get(store, rows[0]!.id), {
      state: 'queued',
      final: 0,
      attempts: 2,
      error: null,
      failed_at: null,
      provider_message_id: null,
      pricing: null,
      run_at: now,
      expires_at: now + 5
    })
    t.match(await get(store, rows[1]!.id), { state: 'queued', expires_at: ahead, timeline: entry })
    for (const [i, state] of [
      [2, 'unknown'],
      [3, 'delivered'],
      [4, 'failed']
    ] as const)
      t.equal((await get(store, rows[i]!.id)).state, state)
    t.match(await store.read(failedAfter({ id, after: rows[1]!.id })), [{ id: rows[4]!.id }, { id: rows[7]!.id }])
  })

  test('moving finds what may begin or end by itself', async (t, { store }) => {
    const ids: Record<string, string> = {}
    for (const status of ['draft', 'scheduled', 'running', 'paused', 'finished', 'failed', 'canceled'] as const)
      ids[status] = (await add(store, { status })).id
    await add(store, { status: 'canceled', finished_at: 1 })
    const found = await store.read(broadcastQueries(store).moving({}))
    t.strictSame(found.map(({ id }) => id).sort(), [ids.scheduled, ids.running, ids.canceled].sort())
  })

  test('the list is of a service and its mode, without drafts', async (t, { store }) => {
    const { list } = broadcastQueries(store)
    const mine = await add(store)
    await add(store, { status: 'draft' })
    await add(store, { service: 'shipping' })
    await add(store, { mode: 'test' })
    const ids = async (...query: Parameters<typeof list>) => (await store.read(list(...query))).map(({ id }) => id)
    t.strictSame(await ids(caller, {}, { limit: 9 }), [mine.id])
    t.strictSame(await ids({ ...caller, channels: new Set() }, {}, { limit: 9 }), [])
    t.strictSame(await ids(caller, { channel: 'other' }, { limit: 9 }), [])
    t.strictSame(await ids(caller, { status: 'running', channel: 'support' }, { limit: 9 }), [mine.id])
    t.strictSame(await ids(caller, {}, { limit: 9, after: mine.id }), [])
    t.equal((await ids({ ...caller, scopes: new Set(['read_all']) }, {}, { limit: 9 })).length, 2)
  })

  test('whoever holds the lock sees no other change of the broadcast until its commit', async (t, {
    store,
    replica
  }) => {
    const other = (await replica?.()) ?? store
    /** Ends it if nothing waits, as watch.ts does; `locked` is what is tried. */
    const end = (of: Store, id: string, locked: boolean) =>
      of.write(function* () {
        const { lock, byId: look, unsettled, setStatus } = broadcastQueries(of)
        const row = yield* first(locked ? lock({ id }) : look({ id }))
        if (row?.status !== 'running' || (yield* first(unsettled({ id })))) return
        // Time for the other to come in between.
        if (of.dialect === 'postgres')
          yield of.build.selectNoFrom(eb => eb.fn('pg_sleep', [eb.val(0.02)]).as('x')).compile()
        yield setStatus({ ...row, status: 'finished', finished_at: 1 })
      })
    const again = (of: Store, id: string) =>
      of.write(function* () {
        const { lock, failedAfter, retry, setStatus } = broadcastQueries(of)
        const row = (yield* first(lock({ id })))!
        for (const failed of yield* all(failedAfter({ id, after: '' })))
          yield retry({ ids: [failed.id], run_at: 1, expires_at: 2, entry })
        yield setStatus({ ...row, status: 'running', finished_at: null })
      })
    const wrong = async (locked: boolean): Promise<number> => {
      let count = 0
      for (let i = 0; i < 15; i++) {
        const { id } = await add(store)
        await put(store, message({ broadcast_id: id, state: 'failed' }))
        await Promise.all([end(store, id, locked), again(other, id)])
        if ((await byId(store, id))!.status !== 'running') count++
      }
      return count
    }
    t.equal(await wrong(true), 0, 'never finished while something waits')
    if (store.dialect === 'postgres') t.ok((await wrong(false)) > 0, 'CONTROL: without the lock it happens')
  })
}
