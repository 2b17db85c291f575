import pino from 'pino'
import { newId } from '../../src/ids.ts'
import { createSharedFiles } from '../../src/media/shared.ts'
import type { MediaRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { createUpkeep } from '../../src/store/upkeep.ts'
import type { Case } from './store.ts'
import { caller, changed, message, put } from './store-rows.ts'

const hour = 3600_000
const day = 24 * hour
const silent = pino({ level: 'silent' })
/** An id as it was made then. */
const idOf = (at: number): string => `med_${at.toString(16).padStart(12, '0')}${newId('med').slice(16)}`

/** A kept file with so many pieces; `row: false` is an upload that never came to its end. */
async function file(store: Store, made: number, expires: number, pieces: number, row = true): Promise<string> {
  const { build } = store
  const id = idOf(made)
  const media: MediaRow = {
    id,
    service: 'billing',
    mode: 'live',
    channel_id: 'support',
    mime_type: 'text/plain',
    size: pieces,
    sha256: '00',
    filename: null,
    provider_media_id: null,
    facts: null,
    created_at: made,
    expires_at: expires
  }
  await store.write(function* () {
    for (let seq = 0; seq < pieces; seq++)
      yield build
        .insertInto('media_chunks')
        .values({ media_id: id, seq, bytes: Buffer.of(seq) })
        .compile()
    if (row) yield build.insertInto('media').values(media).compile()
  })
  return id
}
const remote = (store: Store, created_at: number, id = idOf(created_at)): Promise<string> =>
  store.write(function* () {
    const place = { mode: 'live', channel_id: 'support', path: 'x', mime_type: 'image/png', filename: null } as const
    yield store.build
      .insertInto('remote_media')
      .values({ id, ...place, created_at })
      .compile()
    return id
  })
const left = async (store: Store) => {
  const rows = async (table: 'media' | 'remote_media') =>
    (await store.read(store.build.selectFrom(table).select('id').orderBy('id').compile())).map(({ id }) => id)
  const pieces = await store.read(
    store.build.selectFrom('media_chunks').select('media_id').distinct().orderBy('media_id').compile()
  )
  return { media: await rows('media'), remote: await rows('remote_media'), pieces: pieces.map(each => each.media_id) }
}

/** The upkeep of files that are kept for a time. */
export function mediaCases(test: Case): void {
  test('files whose time is over go with all their pieces, and no other', async (t, { store }) => {
    const now = Date.now()
    const old = now - 31 * day
    await file(store, old, now - 2 * hour, 40)
    await file(store, old, now - 31 * day, 16)
    await file(store, old, now - 2 * hour, 0)
    const lately = await file(store, old - 1, now - hour / 2, 2)
    const living = await file(store, old, now + day, 3)
    await createUpkeep(store, silent, 30).sweep()
    const ids = [lately, living]
    t.strictSame(
      await left(store),
      { media: ids, remote: [], pieces: ids },
      'one that ran out just now may be read still'
    )
    await createUpkeep(store, silent, 30).sweep()
    t.strictSame((await left(store)).pieces, ids)
  })

  test('pieces without a file go after a day, and an upload under way keeps its own', async (t, { store }) => {
    const now = Date.now()
    await file(store, now - 25 * hour, 0, 33, false)
    const young = await file(store, now - 23 * hour, 0, 2, false)
    await createUpkeep(store, silent, 30).sweep()
    t.strictSame(await left(store), { media: [], remote: [], pieces: [young] })
  })

  test('files that only a provider has are forgotten after 30 days', async (t, { store }) => {
    const now = Date.now()
    await remote(store, now - 31 * day)
    const kept = await remote(store, now - 30 * day)
    await createUpkeep(store, silent, 30).sweep()
    t.strictSame(await left(store), { media: [], remote: [kept], pieces: [] })
  })

  test('more than a batch goes in one sweep, and two sweeps at once do not disturb each other', async (t, opened) => {
    const { store } = opened
    const now = Date.now()
    await store.write(function* () {
      for (let i = 0; i < 1100; i++) {
        const id = idOf(now - 40 * day)
        yield store.build
          .insertInto('media_chunks')
          .values({ media_id: id, seq: 0, bytes: Buffer.of(1) })
          .compile()
      }
    })
    for (let i = 0; i < 20; i++) await file(store, now - 40 * day, now - 10 * day, 20)
    const other = (await opened.replica?.()) ?? store
    await Promise.all([createUpkeep(store, silent, 30).sweep(), createUpkeep(other, silent, 30).sweep()])
    t.strictSame(await left(store), { media: [], remote: [], pieces: [] })
  })

  test('of rows that share a file at the provider exactly one is the last to leave', async (t, opened) => {
    const { store } = opened
    const now = Date.now()
    const other = (await opened.replica?.()) ?? store
    const made = { provider: 'whatsapp-cloud', connection_id: 'c', settings: '{}', is_default: 0, paused: 0 }
    const channel = { id: 'support', ...made, managed_by: 'api' as const, created_at: 1, updated_at: 1 }
    const owner = caller()
    const bound = { id: 'support', provider: 'whatsapp-cloud', connectionId: 'c', mode: 'live' as const, settings: {} }
    const at = { sha256: '00', mimeType: 'text/plain' }
    await store.write(function* () {
      yield store.build.insertInto('channels').values(channel).compile()
    })
    const shared = createSharedFiles(store)
    t.equal(await shared.find(owner, bound, at), undefined)
    const id = await file(store, now, now + 30 * day, 0)
    t.equal(await shared.find(owner, bound, at), undefined, 'kept here')
    await store.write(function* () {
      yield store.build.updateTable('media').set({ provider_media_id: '7' }).where('id', '=', id).compile()
    })
    const row = (await shared.find(owner, bound, at))!
    t.equal(row.id, id)
    const rows = [row, ...Array.from({ length: 5 }, () => ({ ...row, id: newId('med') }))]
    for (const each of rows.slice(1)) t.equal(await shared.join(each, id), true)
    const leave = rows.map((each, i) => createSharedFiles(i % 2 ? other : store).leave(each))
    t.strictSame((await Promise.all(leave)).sort(), ['last', 'shared', 'shared', 'shared', 'shared', 'shared'])
    t.equal(await shared.leave(row), 'gone')
    t.equal(await shared.join({ ...row, id: newId('med') }, id), false, 'nobody joins what has gone')
    t.strictSame((await left(store)).media, [])
    const lost = { ...row, id: newId('med') }
    await store.write(function* () {
      yield store.build.insertInto('media').values(lost).compile()
    })
    t.equal((await shared.find(owner, bound, at))?.id, lost.id)
    const { id: refused } = await put(store, message({ state: 'failed' }))
    const why = { failed_at: now + 1, error: '{"code":"media_rejected"}' }
    await changed(store, store.build.updateTable('messages').set(why).where('id', '=', refused))
    t.equal(await shared.find(owner, bound, at), undefined, 'it may have been lost there')
  })

  test('one that was stopped deletes no more', async (t, { store }) => {
    const id = await file(store, Date.now() - 31 * day, 0, 1)
    const upkeep = createUpkeep(store, silent, 30)
    await upkeep.stop()
    await upkeep.sweep()
    t.strictSame((await left(store)).media, [id])
  })
}
