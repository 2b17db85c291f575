import { doubtMs, unknownQueries } from '../../src/messages/doubt.ts'
import { askedBy } from '../../src/messages/filter.ts'
import { createProviderStatus, type ProviderEvent } from '../../src/messages/provider-status.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { queueQueries } from '../../src/messages/queue.ts'
import type { MessageRow, MessageState } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, changed, countedSince, entry, get, message, outcome, put, returned } from './store-rows.ts'

const states: MessageState[] = ['queued', 'claimed', 'sending', 'accepted', 'failed', 'unknown', 'expired', 'canceled']
const mark = (store: Store, id: string, resolution: string) =>
  changed(store, store.build.updateTable('messages').set({ resolution }).where('id', '=', id))
const permutations = <T>(of: T[]): T[][] =>
  of.length < 2 ? [of] : of.flatMap((one, i) => permutations(of.toSpliced(i, 1)).map(rest => [one, ...rest]))

const chunks = <T>(of: T[], size: number): T[][] =>
  of.length <= size ? [of] : [of.slice(0, size), ...chunks(of.slice(size), size)]

/** What becomes of a message of which nobody knows whether it arrived (docs/reliability.md P5, P6, P38). */
export function unknownCases(test: Case): void {
  const again = (store: Store, { id, attempts }: MessageRow) =>
    changed(store, unknownQueries(store).again({ id, attempts, error: '{}', delay_ms: 5000, entry }))

  test('one more attempt is given once, to the attempt that was lost, and to nothing else', async (t, { store }) => {
    for (const state of states) {
      const row = await put(store, message({ state, attempts: 1 }))
      t.equal(await again(store, row), state === 'sending' ? 1 : 0, state)
    }
    const row = await put(store, message({ state: 'sending', attempts: 2 }))
    t.equal(await again(store, { ...row, attempts: 1 }), 0, 'of another attempt')
    const since = Date.now()
    t.equal(await again(store, row), 1)
    const waits = await get(store, row.id)
    t.match(waits, { state: 'queued', resolution: 'resent_once', lease_until: null, timeline: entry })
    t.ok(countedSince(since, waits.run_at, 5000), 'counted from the clock of the database')
    await changed(store, store.build.updateTable('messages').set({ state: 'sending' }).where('id', '=', row.id))
    t.equal(await again(store, row), 0, 'not a second time')
    await changed(store, store.build.updateTable('messages').set({ resolution: null }).where('id', '=', row.id))
    t.equal(await again(store, row), 1, 'CONTROL: it is the mark that holds it back')
  })

  test('cancel and expiry leave in doubt what was sent once, and end what was not', async (t, { store }) => {
    const { cancel } = messageQueries(store)
    const { expireDue } = queueQueries(store)
    const doubt = entry.replace('sending', 'unknown')
    for (const resolution of [null, 'resent_once']) {
      const gone = await put(store, message())
      const late = await put(store, message({ expires_at: Date.now() - 1000 }))
      if (resolution) for (const { id } of [gone, late]) await mark(store, id, resolution)
      t.equal(await changed(store, cancel({ id: gone.id, entry, doubt })), 1)
      t.equal((await returned(store, expireDue({ entry, doubt }))).length, 1)
      const word = { unknown: { state: 'unknown', final: 0, timeline: doubt }, known: { final: 1, timeline: entry } }
      t.match(await get(store, gone.id), resolution ? word.unknown : { ...word.known, state: 'canceled' })
      t.match(await get(store, late.id), resolution ? word.unknown : { ...word.known, state: 'expired' })
    }
  })

  test('a late result settles what waits for its one more attempt, of the same attempt only', async (t, { store }) => {
    const { settleWaiting } = messageQueries(store)
    for (const state of ['queued', 'claimed', 'sending', 'unknown'] as const) {
      const row = await put(store, message({ state, attempts: 1 }))
      t.equal(await changed(store, settleWaiting(outcome(row))), 0, `${state}: nothing of it was sent`)
      await mark(store, row.id, 'resent_once')
      t.equal(await changed(store, settleWaiting(outcome({ ...row, attempts: 2 }))), 0, `${state}: another attempt`)
      const may = state === 'queued' || state === 'claimed'
      t.equal(await changed(store, settleWaiting(outcome(row))), may ? 1 : 0, state)
      t.match(await get(store, row.id), may ? { state: 'accepted', resolution: null } : { state })
    }
  })

  test('only what is unknown and open is confirmed or closed, and once', async (t, { store }) => {
    const { confirm, close, supersede } = unknownQueries(store)
    for (const state of states) {
      const open = state === 'unknown' ? 1 : 0
      const make = () => put(store, message({ state }))
      const [sent, left, anew] = [await make(), await make(), await make()]
      t.equal(await changed(store, confirm({ id: sent.id, at: 7, entry })), open, state)
      t.equal(await changed(store, close({ id: left.id, resolution: 'abandoned', entry })), open, state)
      t.equal(await changed(store, supersede({ id: anew.id, entry })), open, state)
      if (!open) continue
      t.match(await get(store, sent.id), { state: 'accepted', resolution: 'confirmed', accepted_at: 7, error: null })
      t.match(await get(store, left.id), { state: 'unknown', final: 1, resolution: 'abandoned' })
      t.equal(await changed(store, confirm({ id: left.id, at: 7, entry })), 0, 'closed is closed')
      t.equal(await changed(store, supersede({ id: left.id, entry })), 1, 'but what was let be can be sent anew')
      t.equal(await changed(store, supersede({ id: anew.id, entry })), 0, 'once')
      t.equal(await changed(store, messageQueries(store).reopen({ id: anew.id })), 1)
      t.match(await get(store, anew.id), { final: 0, resolution: null })
    }
  })

  test('of two who settle one message at once, exactly one has its way', async (t, { store }) => {
    const { confirm, close } = unknownQueries(store)
    for (let i = 0; i < 10; i++) {
      const { id } = await put(store, message({ state: 'unknown' }))
      const both = await Promise.all([
        changed(store, confirm({ id, at: 7, entry })),
        changed(store, close({ id, resolution: 'resent', entry }))
      ])
      t.strictSame(both.sort(), [0, 1])
    }
  })

  test('a page of open ones holds what the caller may see and means, in order', async (t, { store }) => {
    const { page } = unknownQueries(store)
    const open = { state: 'unknown' } as const
    const mine = [message(open), message({ ...open, reference: 'r' }), message(open)]
    for (const row of mine) await put(store, row)
    await put(store, message())
    await put(store, message({ ...open, final: 1 }))
    await put(store, message({ ...open, service: 'shipping' }))
    await put(store, message({ ...open, mode: 'test' }))
    const ids = async (filter: object, after = '', limit = 10) =>
      (await store.read(page({ ...askedBy(caller(), filter), after, limit })))
        .filter(({ fits }) => fits)
        .map(({ id }) => id)
    t.strictSame(await ids({}), mine.map(({ id }) => id).sort())
    t.strictSame(await ids({ reference: 'r' }), [mine[1]!.id])
    const first = await ids({}, '', 2)
    t.strictSame(await ids({}, first[1], 2), [mine.map(({ id }) => id).sort()[2]])
    const looked = await store.read(page({ ...askedBy(caller(), { reference: 'r' }), after: '', limit: 3 }))
    t.equal(looked.length, 3, 'no more are looked at than one portion')
  })

  test('what is unknown for 72 hours is final, once, and not before', async (t, { store }) => {
    const { overdue } = unknownQueries(store)
    const old = Date.now() - doubtMs - 1000
    const late = await put(store, message({ state: 'unknown', run_at: old }))
    const early = await put(store, message({ state: 'unknown', run_at: old + 60_000 }))
    for (const state of states.filter(state => state !== 'unknown')) await put(store, message({ state, run_at: old }))
    const sweep = () => returned(store, overdue({ before_ms: doubtMs, entry }))
    const [one, two] = await Promise.all([sweep(), sweep()])
    t.strictSame(
      [...one, ...two].map(({ id }) => id),
      [late.id]
    )
    t.match(await get(store, late.id), { state: 'unknown', final: 1, timeline: entry })
    t.match(await get(store, early.id), { state: 'unknown', final: 0, timeline: '' })
    const many = Array.from({ length: 501 }, () => put(store, message({ state: 'unknown', run_at: old })))
    await Promise.all(many)
    t.equal((await sweep()).length, 500, 'in parts')
    t.equal((await sweep()).length, 1)
  })

  test('of the provider’s words in any order, twice each, the end is the same', async (t, { store }) => {
    const { settleFromProvider } = createProviderStatus(store)
    const words = (['accepted', 'sent', 'delivered', 'read', 'failed'] as const).map(
      (status, i): ProviderEvent => ({ status, at: 1000 + i, providerMessageId: 'wamid.9', detail: '', error: '{}' })
    )
    const after = async (events: ProviderEvent[], state: MessageState = 'unknown') => {
      const row = await put(store, message({ state, attempts: 1 }))
      await store.write(function* () {
        for (const event of [...events, ...events]) yield* settleFromProvider(row, event)
      })
      const { id: _, timeline: __, created_at: ___, run_at: ____, ...rest } = await get(store, row.id)
      return rest
    }
    const ends: object[] = []
    // A few at a time: more would only wait for a connection, and in the end in vain.
    for (const orders of chunks(permutations(words), 10))
      ends.push(...(await Promise.all(orders.map(events => after(events)))))
    t.equal(ends.length, 120)
    const end = { state: 'read', final: 1, sent_at: 1001, delivered_at: 1002, read_at: 1003, error: null }
    t.match(ends[0], { ...end, provider_message_id: 'wamid.9', failed_at: null })
    t.equal(new Set(ends.map(each => JSON.stringify(each))).size, 1)
    const short = await Promise.all(permutations([words[0]!, words[1]!, words[4]!]).map(events => after(events)))
    t.match(short[0], { state: 'failed', final: 1, failed_at: 1004, error: '{}' })
    t.equal(new Set(short.map(each => JSON.stringify(each))).size, 1)
    t.match(await after([words[1]!], 'canceled'), { state: 'canceled' }, 'what never left is not moved')
    t.match(await after([words[1]!], 'queued'), { state: 'queued' })
    t.match(await after([words[1]!], 'sending'), { state: 'sent', lease_until: null }, 'faster than the answer')
  })

  test('a proof that the first attempt arrived keeps the second from being sent', async (t, { store }) => {
    const { settleFromProvider } = createProviderStatus(store)
    const event = { status: 'sent', at: 5, providerMessageId: 'wamid.1', detail: 'webhook' } as const
    for (const state of ['queued', 'claimed'] as const) {
      const row = await put(store, message({ state, attempts: 1 }))
      await mark(store, row.id, 'resent_once')
      t.ok(await store.write(() => settleFromProvider(row, event)))
      t.match(await get(store, row.id), { state: 'sent', lease_until: null })
    }
  })

  test('what else was sent to a person of late is known, on every channel of theirs', async (t, { store }) => {
    const { others } = unknownQueries(store)
    for (const id of ['support', 'sales'])
      await changed(
        store,
        store.build.insertInto('channels').values({
          ...{ id, provider: 'wati', connection_id: id, settings: '{}', is_default: 0, paused: 0 },
          ...{ managed_by: 'api', created_at: 1, updated_at: 1 }
        })
      )
    const sent = { state: 'accepted', attempts: 1 } as const
    const own = await put(store, message({ state: 'unknown', attempts: 1 }))
    const found = [await put(store, message(sent)), await put(store, message({ ...sent, channel_id: 'sales' }))]
    await put(store, message({ ...sent, contact: '4915112345678' }))
    await put(store, message({ ...sent, mode: 'test' }))
    await put(store, message({ ...sent, type: 'image' }))
    await put(store, message({ ...sent, state: 'failed' }))
    await put(store, message())
    const rows = await store.read(others({ id: own.id, mode: 'live', contact: own.contact!, type: 'text' }))
    t.strictSame(rows.map(({ id }) => id).sort(), found.map(({ id }) => id).sort())
  })
}
