import pino from 'pino'
import { newId } from '../../src/ids.ts'
import type { IdempotencyRow, MessageRow, MessageState } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { createUpkeep } from '../../src/store/upkeep.ts'
import type { Case } from './store.ts'
import { changed, get, message, put } from './store-rows.ts'

const silent = pino({ level: 'silent' })
const day = 24 * 3600_000
const ago = (days: number) => Date.now() - days * day
/** An id as it was made that long ago. */
const idOf = (days: number, prefix = 'msg') =>
  `${prefix}_${ago(days).toString(16).padStart(12, '0')}${newId('msg').slice(16)}`
const at = (ms: number) => `${JSON.stringify({ at: ms, status: 'accepted', attempt: 1 })}\n`
const old = (days: number, changes: Partial<MessageRow> = {}) =>
  message({
    id: idOf(days),
    created_at: ago(days),
    state: 'accepted',
    options: '{"replyTo":"wamid.1"}',
    reference: 'order-1',
    metadata: '{"k":"v"}',
    timeline: at(ago(days)),
    ...changes
  })
/** A broadcast that was made so many days ago, and ended at that instant; null: it goes on. */
/** A broadcast that was made so many days ago, and ended at that instant; null: it goes on. */
const broadcast = (days: number, finished: number | null) => ({
  id: idOf(days, 'brd'),
  ...{ service: 'billing', key_id: 'key_1', mode: 'live' as const, channel_id: 'cloud', name: 'x', template: '{}' },
  status: finished === null ? ('running' as const) : ('finished' as const),
  ...{ total: 1, duplicates: 0, skipped: 0, suppressed: 0, sending_window: null, rate_per_second: null },
  start_at: null,
  created_at: ago(days),
  started_at: ago(days),
  finished_at: finished
})

async function keep(store: Store, changes: Partial<IdempotencyRow>): Promise<string> {
  const key = newId('req')
  const row = { service: 'billing', mode: 'live', method: 'POST', path: '/messages', key, request_hash: 'x' }
  const answer = { message_id: null, status: 201, headers: '{}', body: null, locked_until: 0, created_at: ago(0) }
  await changed(store, store.build.insertInto('idempotency').values({ ...row, ...answer, ...changes }))
  return key
}
const stored = async (store: Store) =>
  new Map(
    (await store.read(store.build.selectFrom('idempotency').selectAll().compile())).map(row => [row.key, row] as const)
  )

/** RETENTION_DAYS, and what is remembered of requests and limits (docs/reliability.md P15). */
export function retentionCases(on: Case): void {
  on(
    'what has ended loses its content after the retention, and keeps its name, state and story',
    async (t, { store }) => {
      const states: MessageState[] = [
        'accepted',
        'sent',
        'delivered',
        'read',
        'failed',
        'expired',
        'canceled',
        'received'
      ]
      const over = [...states.map(state => old(31, { state })), old(31, { state: 'unknown', final: 1 })]
      const open = [...(['queued', 'claimed', 'sending', 'unknown'] as const).map(state => old(31, { state }))]
      const young = old(29)
      for (const row of [...over, ...open, young]) await put(store, row)
      await createUpkeep(store, silent, 30).sweep()
      for (const row of over) {
        const { content, options, reference, metadata, timeline, state } = await get(store, row.id)
        t.strictSame([content, options], [null, null], row.state)
        t.strictSame([reference, metadata, timeline, state], ['order-1', '{"k":"v"}', row.timeline, row.state])
      }
      for (const row of [...open, young])
        t.match(await get(store, row.id), { content: row.content, options: row.options })
      await createUpkeep(store, silent, 28).sweep()
      t.equal((await get(store, young.id)).content, null, 'CONTROL: the young one is found by a shorter retention')
    }
  )

  on(
    'what had not ended when it was passed is looked at again, and thousands are gone through',
    async (t, { store }) => {
      const late = old(40, { state: 'queued' })
      await put(store, late)
      for (let i = 0; i < 1200; i += 400)
        await changed(store, store.build.insertInto('messages').values(Array.from({ length: 400 }, () => old(35))))
      const upkeep = createUpkeep(store, silent, 30)
      await upkeep.sweep()
      const kept = async () =>
        (
          await store.read(store.build.selectFrom('messages').select('id').where('content', 'is not', null).compile())
        ).map(row => row.id)
      t.strictSame(await kept(), [late.id])
      await changed(
        store,
        store.build.updateTable('messages').set({ state: 'failed', final: 1 }).where('id', '=', late.id)
      )
      await upkeep.sweep()
      t.strictSame(await kept(), [])
    }
  )

  on('a stored answer loses the content with its message, and stays otherwise', async (t, { store }) => {
    const row = old(3)
    await put(store, row)
    const body = JSON.stringify({ id: row.id, type: 'text', text: { body: 'Hello' }, status: 'accepted' })
    const key = await keep(store, { message_id: row.id, body, created_at: ago(3) })
    const other = await keep(store, { message_id: newId('req'), body: 'sealed', created_at: ago(3) })
    await createUpkeep(store, silent, 2).sweep()
    const after = await stored(store)
    t.strictSame(JSON.parse(after.get(key)!.body!), { id: row.id, type: 'text', status: 'accepted' })
    t.match(after.get(key), { status: 201, request_hash: 'x' })
    t.equal(after.get(other)!.body, 'sealed')
  })

  on(
    'an Idempotency-Key is kept for seven days, and until a day after what was made under it has ended',
    async (t, { store }) => {
      const kept: string[] = []
      const over: string[] = []
      const both = async (days: number, changes: Partial<MessageRow>, where: string[]) => {
        const row = old(days, changes)
        await put(store, row)
        where.push(await keep(store, { message_id: row.id, created_at: ago(days) }))
      }
      await both(8, {}, over)
      await both(8, { state: 'unknown', final: 1, timeline: at(ago(2)) }, over)
      await both(6, {}, kept)
      await both(8, { state: 'unknown' }, kept)
      await both(9, { state: 'queued', timeline: '' }, kept)
      await both(30, { state: 'failed', timeline: at(ago(20)) + at(ago(0.5)) }, kept)
      for (const prefix of ['req', 'brd'] as const) {
        over.push(await keep(store, { message_id: idOf(8, prefix), created_at: ago(8) }))
        kept.push(await keep(store, { message_id: idOf(6, prefix), created_at: ago(6) }))
      }
      for (const [finished, where] of [
        [ago(2), over],
        [ago(0.5), kept],
        [null, kept]
      ] as const) {
        const row = broadcast(8, finished)
        await changed(store, store.build.insertInto('broadcasts').values(row))
        where.push(await keep(store, { message_id: row.id, created_at: ago(8) }))
      }
      await createUpkeep(store, silent, 365).sweep()
      t.strictSame([...(await stored(store)).keys()].sort(), kept.sort())
      t.equal(over.length, 5)
    }
  )

  on('limits and stops that are long over are deleted, those that stand are not', async (t, { store }) => {
    const { build } = store
    const blocks = { over: ago(1), standing: ago(-1), stopped: null, justOver: ago(0) }
    for (const [key, until] of Object.entries(blocks))
      await changed(store, build.insertInto('blocks').values({ key, until, detail: null, at: 0 }))
    for (const [key, updated_at] of Object.entries({ idle: ago(2), used: ago(0.5) }))
      await changed(store, build.insertInto('paces').values({ key, log: '[]', updated_at }))
    await createUpkeep(store, silent, 30).sweep()
    const keys = async (table: 'blocks' | 'paces') =>
      (await store.read(build.selectFrom(table).select('key').orderBy('key').compile())).map(({ key }) => key)
    t.strictSame(await keys('blocks'), ['justOver', 'standing', 'stopped'])
    t.strictSame(await keys('paces'), ['used'])
  })
}

/** KEEP_ROWS_DAYS: what has ended goes as a whole. */
export function rowRetentionCases(on: Case): void {
  const there = async (store: Store, rows: readonly MessageRow[]): Promise<string[]> => {
    const ids = rows.map(row => row.id)
    const found = await store.read(store.build.selectFrom('messages').select('id').where('id', 'in', ids).compile())
    return found.map(row => row.id).sort()
  }
  const sorted = (rows: readonly MessageRow[]) => rows.map(row => row.id).sort()
  const sweep = (store: Store, days: number) => createUpkeep(store, silent, 5, days).sweep()

  on('rows that ended longer ago than they are kept are deleted, and no others', async (t, { store }) => {
    const states: MessageState[] = [
      'accepted',
      'sent',
      'delivered',
      'read',
      'failed',
      'expired',
      'canceled',
      'received'
    ]
    const over = [...states.map(state => old(11, { state })), old(11, { state: 'unknown', final: 1 })]
    const open = (['queued', 'claimed', 'sending', 'unknown'] as const).map(state => old(11, { state }))
    const young = old(9)
    const late = old(11, { timeline: at(ago(11)) + at(ago(9)) })
    for (const row of [...over, ...open, young, late]) await put(store, row)
    const one = over[0]!
    const id = { channel_id: one.channel_id, mode: one.mode, provider_id: newId('msg'), attempt: 1, parked: 0 }
    await changed(store, store.build.insertInto('message_ids').values({ ...id, message_id: one.id, created_at: 1 }))
    await sweep(store, 10)
    t.strictSame(await there(store, over), [], 'what has ended')
    t.strictSame(
      await there(store, [...open, young, late]),
      sorted([...open, young, late]),
      'what has not, or not so long ago'
    )
    const ids = store.build.selectFrom('message_ids').select('attempt').where('provider_id', '=', id.provider_id)
    t.strictSame(await store.read(ids.compile()), [], 'and the ids that its provider had for it')
    await sweep(store, 8)
    t.strictSame(await there(store, [young, late]), [], 'CONTROL: they are found by a shorter keeping')
  })

  on('a broadcast goes ahead of its messages, and they stay for as long as it does', async (t, { store }) => {
    const [gone, late, open] = [broadcast(12, ago(11)), broadcast(12, ago(9)), broadcast(12, null)]
    const rows: MessageRow[] = []
    for (const each of [gone, late, open]) {
      await changed(store, store.build.insertInto('broadcasts').values(each))
      rows.push(await put(store, old(12, { broadcast_id: each.id, contact: newId('msg') })))
    }
    const key = `broadcast/${gone.id}`
    await changed(store, store.build.insertInto('blocks').values({ key, until: null, detail: null, at: 1 }))
    await sweep(store, 10)
    const left = await store.read(store.build.selectFrom('broadcasts').select('id').orderBy('id').compile())
    t.strictSame(left.map(row => row.id).filter(id => id !== gone.id).length, left.length, 'it is gone')
    t.strictSame(await there(store, rows), sorted(rows.slice(1)), 'with its messages, and no others')
    const block = store.build.selectFrom('blocks').select('key').where('key', '=', key)
    t.strictSame(await store.read(block.compile()), [])
  })

  on('the audit goes after the same time', async (t, { store }) => {
    const entry = (days: number) => ({
      id: idOf(days, 'aud'),
      at: ago(days),
      actor: 'a',
      action: 'x',
      target: 't',
      detail: null
    })
    const [gone, kept] = [entry(11), entry(9)]
    await changed(store, store.build.insertInto('audit').values([gone, kept]))
    await sweep(store, 10)
    const left = await store.read(
      store.build.selectFrom('audit').select('id').where('id', 'in', [gone.id, kept.id]).compile()
    )
    t.same(left, [{ id: kept.id }])
  })
}
