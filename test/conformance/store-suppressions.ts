import fc from 'fast-check'
import { sql } from 'kysely'
import { broadcastQueries } from '../../src/broadcasts/queries.ts'
import { newId } from '../../src/ids.ts'
import { blockKeysOf } from '../../src/messages/blocks.ts'
import { identities } from '../../src/messages/identities.ts'
import { nameInSql, nameOf, spellings } from '../../src/messages/names.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { createSuppressed, unsuppressed } from '../../src/messages/suppressed.ts'
import type { Store } from '../../src/store/store.ts'
import { createEntries, type NewEntry } from '../../src/suppressions/entries.ts'
import { fold } from '../../src/usage/counters.ts'
import type { Case } from './store.ts'
import { changed, entry, get, message, put } from './store-rows.ts'

const pepper = 'p'.repeat(32)
const place = { mode: 'live', channel_id: 'support' } as const
const every = { marketing: false, exempt: false }
const advertising = { marketing: true, exempt: false }

function rooms(store: Store) {
  const suppressed = createSuppressed(store, pepper)
  const entries = createEntries(store, suppressed)
  const stop = (identity: string, more: Partial<NewEntry> = {}) =>
    store.write(() => entries.add({ mode: 'live', channel_id: '', category: 'all', source: 'api', identity, ...more }))
  const look = async (contact: string, concern = every, at: { mode: 'live' | 'test'; channel_id: string } = place) =>
    (await store.read(suppressed.look(suppressed.keysOf({ ...at, contact }, concern)))).length
  const dispatch = async (contact: string, concern = every) => {
    const row = await put(store, message({ state: 'claimed', contact }))
    const turn = { id: row.id, attempts: 0, next: 1, lease_ms: 60_000, entry }
    const keys = suppressed.keysOf({ ...place, contact }, concern)
    const done = await changed(store, messageQueries(store).dispatch({ ...turn, ...blockKeysOf(row), ...keys }))
    return { done, row, turn }
  }
  return { suppressed, entries, stop, look, dispatch }
}

/** Who must not be messaged (docs/suppressions.md): looked up in the commit that sends. */
export function suppressionCases(test: Case): void {
  test('one spelling is made of a name in the same way here and in the database', async (t, { store }) => {
    const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`))
    const person = fc.oneof(
      fc
        .tuple(fc.constantFrom('52', '521', '54', '549', '55', '5511', '55119', '49'), digits(9), digits(3))
        .map(parts => parts.join('').slice(0, 13)),
      fc.tuple(fc.constantFrom('521', '549', '55119'), digits(10)).map(parts => parts.join('').slice(0, 13)),
      fc.tuple(fc.constantFrom('US.', 'MX.521', 'BR.ENT.5511'), digits(12)).map(parts => parts.join(''))
    )
    const people = fc.sample(person, { numRuns: 300, seed: 7 })
    let folded = 0
    for (const name of people) {
      const own = store.build.selectNoFrom(sql<string>`cast(${name} as text)`.as('name')).as('own')
      const [row] = await store.read(store.build.selectFrom(own).select(nameInSql('own.name').as('short')).compile())
      if (row?.short !== nameOf(name)) t.equal(row?.short, nameOf(name), name)
      if (nameOf(name) !== name) folded++
      t.ok(spellings(name).every(each => nameOf(each) === nameOf(name)))
    }
    t.ok(folded > 30, `CONTROL: ${folded} of them have two`)
  })

  test('what a caller keeps after a person’s own word is not lifted by another word', async (t, { store }) => {
    const { stop, entries, look } = rooms(store)
    const said = { source: 'word', saidAt: 1, reason: 'wrote: stop' } as const
    t.equal((await stop('4930', said)).added, true)
    const kept = await stop('4930', { reason: 'court order', createdBy: 'key_1' })
    t.match(kept, { added: true, row: { source: 'api', reason: 'court order', created_by: 'key_1' } })
    t.equal((await stop('4930', { ...said, saidAt: 5 })).added, false)
    const again = { sources: ['word', 'whatsapp'] as ('word' | 'whatsapp')[], saidUntil: Date.now() + 1000 }
    const start = async () => store.write(() => entries.remove('live', { names: ['4930'] }, again))
    t.strictSame(await start(), [])
    t.equal(await look('4930'), 1)
    await stop('4931', said)
    await store.write(() => entries.remove('live', { names: ['4931'] }, again))
    t.equal(await look('4931'), 0, 'CONTROL')
  })

  test('a suppressed person is not dispatched to; POSITIVE CONTROL: without the look it would be', async (t, {
    store
  }) => {
    const { stop, look, dispatch } = rooms(store)
    t.equal((await dispatch('5215512345678')).done, 1, 'nobody is suppressed')
    await stop('525512345678')
    const { done, row, turn } = await dispatch('5215512345678')
    t.equal(done, 0)
    t.match(await get(store, row.id), { state: 'claimed', attempts: 0 })
    t.equal(await changed(store, messageQueries(store).dispatch({ ...turn, ...blockKeysOf(row), ...unsuppressed })), 1)
    t.equal((await dispatch('4915100000001')).done, 1, 'CONTROL: somebody else')
    t.equal((await dispatch('5215512345678', { marketing: false, exempt: true })).done, 1, 'a one-time code')
    t.equal(await look('5215512345678', every, { mode: 'test', channel_id: 'support' }), 0, 'of the other mode')
  })

  test('category and channel say what is stopped where', async (t, { store }) => {
    const { stop, look } = rooms(store)
    await stop('4915100000002', { category: 'marketing', channel_id: 'support' })
    t.equal(await look('4915100000002'), 0)
    t.equal(await look('4915100000002', advertising), 1)
    t.equal(await look('4915100000002', advertising, { mode: 'live', channel_id: 'other' }), 0)
    await stop('4915100000002')
    t.equal(await look('4915100000002', every, { mode: 'live', channel_id: 'other' }), 1)
  })

  test('a person is found by every name that is known, also by one that is learnt later', async (t, { store }) => {
    const { suppressed, entries, stop, look, dispatch } = rooms(store)
    const [phone, userId, moved] = ['5511987654321', 'BR.13491208655302741918', '5511987650000']
    await stop('551187654321')
    t.equal(await look(userId), 0)
    const link = (names: string[]) => store.write(() => identities(store).link(place, { names }))
    await link([phone, userId])
    t.equal((await dispatch(userId)).done, 0)
    await link([userId, moved])
    const people = [userId, moved, phone, '551187654321', '4915100000003', 'DE.1']
    const among = await suppressed.amongNow({ ...place, marketing: false }, people)
    t.strictSame([...among.keys()].sort(), [userId, moved, phone, '551187654321'].sort())
    const names = await entries.namesOf('live', moved)
    t.equal((await store.write(() => entries.remove('live', { names }))).length, 1, 'and is let go by any')
    t.equal((await suppressed.amongNow({ ...place, marketing: false }, people)).size, 0)
  })

  test('what was said earlier lifts nothing that was said later', async (t, { store }) => {
    const { entries, stop, look } = rooms(store)
    const person = '4915100000004'
    const lift = async (saidUntil: number) => {
      const names = await entries.namesOf('live', person)
      return store.write(() => entries.remove('live', { names }, { sources: ['word', 'whatsapp'], saidUntil }))
    }
    await stop(person, { source: 'word', saidAt: 1000 })
    t.equal((await stop(person, { source: 'word', saidAt: 3000 })).added, false)
    t.equal((await lift(2000)).length, 0)
    t.equal(await look(person), 1)
    t.equal((await lift(3000)).length, 1)
    await stop(person, { saidAt: 1000 })
    t.equal((await lift(9000)).length, 0, 'nor what a caller keeps')
  })

  test('who is left out of a broadcast has failed from the beginning; who waits for a window has times of its own', async (t, {
    store
  }) => {
    const [said, later] = [newId('msg'), newId('msg')]
    const rows = JSON.stringify([
      [said, '1', '{}', null, '{"code":"recipient_suppressed"}', null],
      [later, '2', '{}', null, null, 5000]
    ])
    const common = {
      ...place,
      service: 'billing',
      key_id: 'key_1',
      provider: 'wati',
      queue: 'live/1/billing/support/b',
      template: 'order_update'
    }
    const times = { run_at: 1000, send_at: null, expires_at: 2000, created_at: 500, traceparent: null }
    await changed(store, broadcastQueries(store).addMessages({ ...common, ...times, broadcast_id: 'b', rows, entry }))
    const { timeline, ...stopped } = await get(store, said)
    t.match(stopped, { state: 'failed', final: 1, error: /suppressed/, failed_at: 500, run_at: 1000, attempts: 0 })
    t.equal(timeline, entry)
    const waits = { state: 'queued', final: 0, error: null, failed_at: null, run_at: 5000, expires_at: 6000 }
    t.match(await get(store, later), { ...waits, timeline: '' })
    await fold(store)
    const usage = await store.read(store.build.selectFrom('usage').select(['status', 'template', 'count']).compile())
    t.match(usage, [{ status: 'failed', template: 'order_update', count: 1 }])
  })
}
