import { blockKeysOf } from '../../src/messages/blocks.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { queueQueries } from '../../src/messages/queue.ts'
import { unsuppressed } from '../../src/messages/suppressed.ts'
import { timelineEntry, toTimeline } from '../../src/messages/timeline.ts'
import type { MessageRow, MessageState } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, countedSince, entry, get, message, outcome, put } from './store-rows.ts'

const states: MessageState[] = ['queued', 'claimed', 'sending', 'accepted', 'failed', 'unknown', 'expired', 'canceled']
const hour = 3600_000

/** How a message changes its state (docs/reliability.md 3.1): each step only from where it may be taken. */
export function messageCases(test: Case): void {
  const dispatch = (store: Store, row: MessageRow, attempts = row.attempts) =>
    changed(
      store,
      messageQueries(store).dispatch({
        id: row.id,
        attempts,
        next: attempts + 1,
        lease_ms: 60_000,
        entry,
        ...blockKeysOf(row),
        ...unsuppressed
      })
    )
  const settle = (store: Store, row: MessageRow, changes = {}) =>
    changed(store, messageQueries(store).settle(outcome(row, changes)))
  const settleLate = (store: Store, row: MessageRow, changes = {}) =>
    changed(store, messageQueries(store).settleLate(outcome(row, changes)))
  const release = (store: Store, row: MessageRow) =>
    changed(
      store,
      messageQueries(store).release({ ...row, state: 'failed', final: 1, error: '{}', failed_at: 5, entry })
    )

  test('an id that is not there is no row', async (t, { store }) => {
    t.equal(await get(store, 'msg_0'), undefined)
  })

  test('a lease is counted from the clock of the database', async (t, { store }) => {
    const since = Date.now()
    const row = await put(store, message({ state: 'claimed', lease_until: 1 }), 30_000)
    const { lease_until } = await get(store, row.id)
    t.ok(countedSince(since, lease_until!, 30_000))
  })

  test('dispatch takes a claimed message, counts the attempt and renews the lease', async (t, { store }) => {
    const row = await put(store, message({ state: 'claimed', attempts: 2 }), 5000)
    t.equal(await dispatch(store, row), 1)
    const found = await get(store, row.id)
    t.match(found, { state: 'sending', attempts: 3 })
    t.ok(found.lease_until! > Date.now() + 30_000)
  })

  test('dispatch takes a message once, however often at once', async (t, { store }) => {
    const row = await put(store, message({ state: 'claimed' }))
    const taken = await Promise.all(Array.from({ length: 8 }, () => dispatch(store, row)))
    t.strictSame(taken.sort(), [0, 0, 0, 0, 0, 0, 0, 1])
  })

  for (const state of states.filter(state => state !== 'claimed')) {
    test(`dispatch leaves a ${state} message alone`, async (t, { store }) => {
      const row = await put(store, message({ state }))
      t.equal(await dispatch(store, row), 0)
      t.match(await get(store, row.id), { state, attempts: 0 })
    })
  }

  test('dispatch leaves a message of another attempt alone', async (t, { store }) => {
    const row = await put(store, message({ state: 'claimed', attempts: 2 }))
    t.equal(await dispatch(store, row, 1), 0)
    t.equal(await dispatch(store, row, 3), 0)
    t.match(await get(store, row.id), { state: 'claimed', attempts: 2 })
  })

  test('dispatch leaves a message alone whose lease is over', async (t, { store }) => {
    const row = await put(store, message({ state: 'claimed' }), -1)
    t.equal(await dispatch(store, row), 0)
  })

  test('dispatch leaves an expired message alone, and takes one that expires later or never', async (t, { store }) => {
    const expired = await put(store, message({ state: 'claimed', expires_at: Date.now() - 1000 }))
    const later = await put(store, message({ state: 'claimed', expires_at: Date.now() + hour }))
    const never = await put(store, message({ state: 'claimed', expires_at: null }))
    t.strictSame(
      [await dispatch(store, expired), await dispatch(store, later), await dispatch(store, never)],
      [0, 1, 1]
    )
  })

  test('settle writes the outcome of the attempt and ends the lease', async (t, { store }) => {
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    t.equal(await settle(store, row, { warnings: '["w"]', accepted_at: 9 }), 1)
    const kept = { state: 'accepted', provider_message_id: 'wamid.1', warnings: '["w"]', accepted_at: 9, attempts: 1 }
    t.match(await get(store, row.id), { ...kept, lease_until: null, error: null })
    t.equal(await settle(store, row, { state: 'failed' }), 0, 'the second changes nothing')
    t.match(await get(store, row.id), kept)
  })

  for (const state of states.filter(state => state !== 'sending')) {
    test(`settle leaves a ${state} message alone`, async (t, { store }) => {
      const row = await put(store, message({ state, attempts: 1 }))
      t.equal(await settle(store, row, { state: 'failed', provider_message_id: null }), 0)
      t.equal((await get(store, row.id)).state, state)
    })
  }

  test('a sleeper cannot settle the attempt after its own; without the guard of the attempt it would', async (t, {
    store
  }) => {
    const sleeper = message({ state: 'sending', attempts: 1 })
    await put(store, { ...sleeper, attempts: 2 })
    t.equal(await settle(store, sleeper, { state: 'failed' }), 0)
    t.equal((await get(store, sleeper.id)).state, 'sending')
    const unguarded = store.build
      .updateTable('messages')
      .set({ state: 'failed' })
      .where('id', '=', sleeper.id)
      .where('state', '=', 'sending')
    t.equal(await changed(store, unguarded), 1, 'control: the guard is what holds it back')
  })

  test('a late result resolves the unknown of the same attempt, once', async (t, { store }) => {
    const row = await put(store, message({ state: 'unknown', attempts: 1, error: '{}' }))
    t.equal(await settleLate(store, row), 1)
    t.match(await get(store, row.id), { state: 'accepted', error: null, provider_message_id: 'wamid.1' })
    t.equal(await settleLate(store, row, { state: 'failed' }), 0)
  })

  test('a late result of another attempt resolves nothing', async (t, { store }) => {
    const row = await put(store, message({ state: 'unknown', attempts: 2 }))
    t.equal(await settleLate(store, { ...row, attempts: 1 }), 0)
    t.equal((await get(store, row.id)).state, 'unknown')
  })

  for (const state of states.filter(state => state !== 'unknown')) {
    test(`a late result leaves a ${state} message alone`, async (t, { store }) => {
      const row = await put(store, message({ state, attempts: 1 }))
      t.equal(await settleLate(store, row, { state: 'failed' }), 0)
      t.equal((await get(store, row.id)).state, state)
    })
  }

  test('release gives back a claimed message and nothing else', async (t, { store }) => {
    for (const state of states) {
      const row = await put(store, message({ state }))
      t.equal(await release(store, row), state === 'claimed' ? 1 : 0, state)
      t.equal((await get(store, row.id)).state, state === 'claimed' ? 'failed' : state)
    }
  })

  test('release of a claim that another has taken over meanwhile does nothing', async (t, { store }) => {
    const row = await put(store, message({ state: 'claimed' }), 60_000)
    const { lease_until } = await get(store, row.id)
    t.equal(await release(store, { ...row, lease_until: lease_until! - 40_000 }), 0)
    t.equal((await get(store, row.id)).state, 'claimed')
    t.equal(await release(store, { ...row, lease_until }), 1)
  })

  test('cancel takes what nobody has begun to send, and nothing else', async (t, { store }) => {
    for (const state of states) {
      const row = await put(store, message({ state }))
      const may = state === 'queued' || state === 'claimed'
      t.equal(await changed(store, messageQueries(store).cancel({ id: row.id, entry })), may ? 1 : 0, state)
      t.match(await get(store, row.id), may ? { state: 'canceled', final: 1, lease_until: null } : { state })
    }
  })

  test('of cancel and dispatch at once, exactly one has its way', async (t, { store }) => {
    for (let i = 0; i < 10; i++) {
      const row = await put(store, message({ state: 'claimed' }))
      const cancel = () => changed(store, messageQueries(store).cancel({ id: row.id, entry }))
      const both = i % 2 ? [cancel(), dispatch(store, row)] : [dispatch(store, row), cancel()]
      t.strictSame((await Promise.all(both)).sort(), [0, 1])
    }
  })

  test('every change of state adds its line to the timeline, in order and whole', async (t, { store }) => {
    const { dispatch, settle, settleLate } = messageQueries(store)
    const { forget } = queueQueries(store)
    const row = await put(store, message({ state: 'claimed' }))
    const { id } = row
    const line = (state: MessageState, detail?: string) => timelineEntry(Date.now(), { state, attempts: 1 }, detail)
    await changed(
      store,
      dispatch({
        id,
        attempts: 0,
        next: 1,
        lease_ms: 60_000,
        entry: line('sending'),
        ...blockKeysOf(row),
        ...unsuppressed
      })
    )
    await changed(store, forget({ id, attempts: 1, error: '{}', entry: line('unknown', 'it died\n👋🏽') }))
    const accepted = { ...outcome({ ...row, attempts: 1 }), entry: line('accepted') }
    t.equal(await changed(store, settle(accepted)), 0)
    t.equal(await changed(store, settleLate(accepted)), 1)
    t.match(toTimeline(await get(store, id)).items, [
      { status: 'queued', attempt: 0 },
      { status: 'sending', attempt: 1 },
      { status: 'unknown', attempt: 1, detail: 'it died\n👋🏽' },
      { status: 'accepted', attempt: 1 }
    ])
    t.equal(toTimeline(await get(store, id)).items.length, 4, 'a change that is not made adds none')
  })

  test('expiry, release and cancellation are told on the timeline too', async (t, { store }) => {
    const { cancel } = messageQueries(store)
    const { expireDue } = queueQueries(store)
    const gone = await put(store, message())
    await changed(store, cancel({ id: gone.id, entry }))
    const late = await put(store, message({ expires_at: Date.now() - 1000, timeline: entry }))
    await changed(store, expireDue({ entry }))
    const back = await put(store, message({ state: 'claimed' }))
    await release(store, back)
    t.strictSame(
      [
        (await get(store, gone.id)).timeline,
        (await get(store, late.id)).timeline,
        (await get(store, back.id)).timeline
      ],
      [entry, entry + entry, entry]
    )
  })
}
