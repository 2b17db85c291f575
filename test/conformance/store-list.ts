import { newId } from '../../src/ids.ts'
import type { Caller } from '../../src/keys/caller.ts'
import type { ListFilter } from '../../src/messages/filter.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { pageRequest, toPage } from '../../src/store/page.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, message, put } from './store-rows.ts'

type Filter = ListFilter
const list = async (store: Store, who: Caller, filter: Filter = {}, limit = 100) =>
  (await messageQueries(store).list(who, filter, { limit })).map(({ id }) => id)
const hour = 3600_000

/** What a caller is shown of the messages. */
export function listCases(test: Case): void {
  test('messages are listed newest first', async (t, { store }) => {
    const rows: string[] = []
    for (let i = 0; i < 12; i++) rows.push((await put(store, message())).id)
    t.strictSame(await list(store, caller()), rows.reverse())
  })

  const reader = caller({ scopes: new Set(['inbound:read']) })
  const filters: Record<string, { filter: Filter; hit: Partial<MessageRow>; miss: Partial<MessageRow>; who?: Caller }> =
    {
      channel: { filter: { channel: 'a' }, hit: { channel_id: 'a' }, miss: { channel_id: 'A' } },
      contact: { filter: { people: ['49301'] }, hit: { contact: '49301' }, miss: { contact: '493012' } },
      'status queued': { filter: { status: 'queued' }, hit: { state: 'queued' }, miss: { state: 'sending' } },
      'status queued, claimed': { filter: { status: 'queued' }, hit: { state: 'claimed' }, miss: { state: 'failed' } },
      'status unknown': { filter: { status: 'unknown' }, hit: { state: 'unknown' }, miss: { state: 'accepted' } },
      direction: {
        filter: { direction: 'inbound' },
        hit: { direction: 'inbound', service: '' },
        miss: { direction: 'outbound' },
        who: reader
      },
      reference: { filter: { reference: 'é-1' }, hit: { reference: 'é-1' }, miss: { reference: 'e-1' } },
      broadcastId: { filter: { broadcastId: 'brd_1' }, hit: { broadcast_id: 'brd_1' }, miss: { broadcast_id: null } },
      since: {
        filter: { since: '2026-01-01T00:00:00.000Z' },
        hit: { created_at: Date.UTC(2026, 0, 1) },
        miss: { created_at: Date.UTC(2026, 0, 1) - 1 }
      },
      until: {
        filter: { until: '2026-01-01T00:00:00.000Z' },
        hit: { created_at: Date.UTC(2026, 0, 1) - 1 },
        miss: { created_at: Date.UTC(2026, 0, 1) }
      }
    }
  for (const [name, { filter, hit, miss, who = caller() }] of Object.entries(filters)) {
    test(`a list can be narrowed by ${name}`, async (t, { store }) => {
      const row = await put(store, message(hit))
      await put(store, message(miss))
      t.strictSame(await list(store, who, filter), [row.id])
    })
  }

  // Not the broadcast: it has every person once.
  test('all other filters together find what fits them all', async (t, { store }) => {
    const fits: Partial<MessageRow> = {
      channel_id: 'a',
      contact: '49',
      state: 'failed',
      reference: 'r'
    }
    const row = await put(store, message(fits))
    for (const name of Object.keys(fits)) await put(store, message({ ...fits, [name]: 'queued' }))
    const filter: Filter = {
      channel: 'a',
      people: ['49'],
      status: 'failed',
      direction: 'outbound',
      reference: 'r',
      since: new Date(Date.now() - hour).toISOString(),
      until: new Date(Date.now() + hour).toISOString()
    }
    t.strictSame(await list(store, caller(), filter), [row.id])
  })

  test('a person is found by any name, and a user id where it is the sender’s only one', async (t, { store }) => {
    const [id, other] = ['US.13491208655302741918', 'US.2']
    const rows = [
      await put(store, message({ contact: '525512345678' })),
      await put(store, message({ contact: '5215512345678' })),
      await put(store, message({ contact: id, user_id: id })),
      await put(store, message({ contact: null, user_id: id, direction: 'inbound', service: '' })),
      await put(store, message({ contact: '525512345679' })),
      await put(store, message({ contact: null, user_id: other, direction: 'inbound', service: '' }))
    ].map(row => row.id)
    const who = caller({ scopes: new Set(['inbound:read']) })
    const names = ['525512345678', '5215512345678', id]
    t.strictSame(await list(store, who, { people: names }), rows.slice(0, 4).reverse())
    t.strictSame(await list(store, who, { people: [id] }), rows.slice(2, 4).reverse())
    t.strictSame(await list(store, who, { people: ['525512345678'] }), rows.slice(0, 1))
  })

  test('a service sees its own messages, and with inbound:read what its channels received', async (t, { store }) => {
    const own = await put(store, message())
    const received = await put(store, message({ service: '', direction: 'inbound' }))
    await put(store, message({ service: 'other' }))
    t.strictSame(await list(store, caller()), [own.id], 'a service that only sends reads nobody’s replies')
    const scopes = new Set(['inbound:read'] as const)
    t.strictSame(await list(store, caller({ scopes })), [received.id, own.id])
    t.strictSame(await list(store, caller({ scopes, service: 'third' })), [received.id])
    const both = new Set(['read_all', 'inbound:read'] as const)
    t.equal((await list(store, caller({ scopes: both }))).length, 3)
    t.equal((await list(store, caller({ scopes: new Set(['read_all'] as const) }))).length, 2)
  })

  test('read_all and admin see the messages of every service', async (t, { store }) => {
    const rows = [await put(store, message()), await put(store, message({ service: 'other' }))].map(({ id }) => id)
    for (const scope of ['read_all', 'admin'] as const)
      t.strictSame(await list(store, caller({ service: 'x', scopes: new Set([scope]) })), [...rows].reverse())
  })

  test('live and test never see each other, not even with read_all', async (t, { store }) => {
    const live = await put(store, message({ mode: 'live' }))
    const tried = await put(store, message({ mode: 'test', direction: 'inbound' }))
    const scopes = new Set(['read_all'] as const)
    t.strictSame(await list(store, caller({ mode: 'live', scopes })), [live.id])
    t.strictSame(await list(store, caller({ mode: 'test', scopes })), [tried.id])
  })

  test('a key that is held to channels sees only theirs, received ones and read_all included', async (t, { store }) => {
    const a = await put(store, message({ channel_id: 'a' }))
    const b = await put(store, message({ channel_id: 'b', direction: 'inbound' }))
    await put(store, message({ channel_id: 'c', direction: 'inbound' }))
    const channels = new Set(['a', 'b'])
    t.strictSame(await list(store, caller({ channels })), [b.id, a.id])
    t.strictSame(await list(store, caller({ channels, scopes: new Set(['read_all']) })), [b.id, a.id])
    t.strictSame(await list(store, caller({ channels }), { channel: 'c' }), [])
  })

  test('a key that is held to no channel at all sees nothing', async (t, { store }) => {
    await put(store, message())
    t.strictSame(await list(store, caller({ channels: new Set() })), [])
  })

  test('a list that finds nothing is empty', async (t, { store }) => {
    t.strictSame(await list(store, caller(), { reference: 'none' }), [])
  })

  test('pages give every message once while others arrive', async (t, { store }) => {
    const rows: string[] = []
    for (let i = 0; i < 23; i++) rows.push((await put(store, message())).id)
    const seen: string[] = []
    const sizes: number[] = []
    for (let cursor: string | undefined; ; ) {
      const page = pageRequest({ limit: 5, ...(cursor && { cursor }) })
      const found = toPage(await messageQueries(store).list(caller(), {}, page), page.limit)
      seen.push(...found.items.map(({ id }) => id))
      sizes.push(found.items.length)
      if (found.nextCursor === null) break
      cursor = found.nextCursor
      await put(store, message())
    }
    t.strictSame(seen, rows.reverse())
    t.strictSame(sizes, [5, 5, 5, 5, 3])
  })

  test('a last page that is full says that it is the last', async (t, { store }) => {
    for (let i = 0; i < 4; i++) await put(store, message())
    const rows = await messageQueries(store).list(caller(), {}, { limit: 4 })
    t.equal(toPage(rows, 4).nextCursor, null)
  })

  test('ids made in one millisecond by many are in their order', async (t, { store }) => {
    const now = Date.now()
    const ids = Array.from({ length: 40 }, () => newId('msg', now))
    await Promise.all([...ids].reverse().map(id => put(store, message({ id }))))
    t.strictSame(await list(store, caller()), [...ids].reverse())
  })
}
