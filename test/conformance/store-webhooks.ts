import pino from 'pino'
import type { AnyAdapter, Heard, HeardTemplate, Hearing } from '../../src/adapters/adapter.ts'
import type { Channels } from '../../src/channels/channels.ts'
import { newId } from '../../src/ids.ts'
import { createDoor } from '../../src/inbound/door.ts'
import { createEffects, type HeardHandlers } from '../../src/inbound/effects.ts'
import { idAt } from '../../src/inbound/queries.ts'
import { createReader, type Reader } from '../../src/inbound/reader.ts'
import { createReplay } from '../../src/inbound/replay.ts'
import { createWebhookTokens } from '../../src/inbound/tokens.ts'
import { createWebhookUpkeep, keepMs } from '../../src/inbound/upkeep.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { WebhookRow } from '../../src/store/schema-inbound.ts'
import { type Store, StoreUnavailable } from '../../src/store/store.ts'
import { until } from '../until.ts'
import { fresh, rows, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { caller, changed } from './store-rows.ts'

// The reader of kept webhooks (docs/reliability.md P37), with a provider of the tests' own: its bodies are what is told.

const log = pino({ level: 'silent' })
const hear: Hearing<{ phone: string }> = {
  read: body => {
    if ((body as { poison?: true }).poison) throw new Error('a decoder that fails')
    return body as Heard[]
  },
  concerns: ({ phone }, scope) => scope.phone === undefined || scope.phone === phone
}
const adapters = new Map([['third', { provider: 'third', hear } as unknown as AnyAdapter]])
const channel = (id: string, connectionId = 'c') =>
  ({ id, provider: 'third', connectionId, mode: 'live', settings: { phone: `1${id.length}` } }) as const
const known = [channel('one'), channel('three'), channel('other', 'd')]
const channels = {
  bind: async (id: string) => known.find(each => each.id === id),
  peek: (id: string) => known.find(each => each.id === id),
  all: async () => known,
  refresh: async () => {}
} as unknown as Channels

const readerOf = (store: Store, handlers: HeardHandlers = {}): Reader =>
  createReader({
    ...{ store, adapters, channels, log, metrics: createMetrics() },
    effects: createEffects({ store, typeBase: '', keepFile: () => ({ id: '', query: null as never }), handlers }),
    ...{ tell: () => {}, wakeQueue: () => {} }
  })
const keep = async (store: Store, body: unknown, more: Partial<WebhookRow> = {}): Promise<string> => {
  const id = newId('whk')
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const row = { id, channel_id: 'one', mode: 'live', headers: '{}', sha256: id, state: 'waiting', position: 0 } as const
  const all = { ...row, size: text.length, reason: null, received_at: Date.now(), tries: 0, ...more }
  await changed(store, store.build.insertInto('webhooks').values(all))
  await changed(store, store.build.insertInto('webhook_bodies').values({ id: all.id, body: Buffer.from(text) }))
  return all.id
}
const webhooks = (store: Store) =>
  store.read(store.build.selectFrom('webhooks').select(['id', 'state', 'position', 'reason']).orderBy('id').compile())
/** Reads until nothing waits. */
const readAll = async (store: Store, ...readers: Reader[]) => {
  for (const reader of readers) reader.start()
  await until(
    () => webhooks(store),
    found => found.every(({ state }) => state !== 'waiting')
  )
  await Promise.all(readers.map(reader => reader.stop()))
}
const template = (identity: string): HeardTemplate => ({ kind: 'template', identity, scope: {}, change: 'status' })

export function webhookCases(test: Case): void {
  test('bodies are read in order, in slices, and go on where they were left', async (t, { store }) => {
    const all = Array.from({ length: 120 }, (_, i) => wrote(fresh(), { content: { body: String(i) } }))
    await keep(store, all.slice(0, 110), { position: 7, received_at: Date.now() + 60_000 })
    await keep(store, all.slice(110))
    await keep(store, [])
    await readAll(store, readerOf(store))
    t.match(await webhooks(store), [
      { state: 'read', position: 110 },
      { state: 'read', position: 10 },
      { state: 'read' }
    ])
    const bodies = (await rows(store)).map(({ content }) => Number(JSON.parse(content!).body))
    t.strictSame(
      bodies,
      Array.from({ length: 113 }, (_, i) => i + 7)
    )
    const [lane] = await store.read(store.build.selectFrom('webhook_lanes').selectAll().compile())
    t.match(lane, { status_at: null })
    t.ok(lane!.heard_at! > Date.now() - 60_000)
  })

  test('what another process left is read from its beginning: a release before may have found less in it', async (t, {
    store
  }) => {
    const all = Array.from({ length: 30 }, (_, i) => wrote(fresh(), { content: { body: String(i) } }))
    await keep(store, all.slice(0, 10), { state: 'waiting' })
    await readAll(store, readerOf(store))
    await keep(store, all, { position: 20, received_at: Date.now() - 60_000 })
    await readAll(store, readerOf(store))
    t.equal((await rows(store)).length, 30, 'each once')
  })

  test('the same bytes are one webhook at once, and another one later', async (t, { store }) => {
    const tokens = createWebhookTokens(store, 'pepper')
    let at = 60_000 * Math.ceil(Date.now() / 60_000)
    const aged = { ...store, clock: () => at }
    const door = createDoor({ store: aged, adapters, channels, tokens, metrics: createMetrics(), wake: () => {} })
    const admission = { channelId: 'one', mode: 'live', provider: 'third', settings: {}, token: 'x' } as const
    const tell = async (body = '[]', where?: object) => {
      await door.receive({ ...admission, ...where } as never, {}, Buffer.from(body))
      return (await webhooks(store)).length
    }
    t.strictSame([await tell(), await tell(), await tell('[ ]')], [1, 1, 2])
    t.equal(await tell('[]', { channelId: 'three' }), 3)
    at += 59_000
    t.equal(await tell(), 3)
    at += 1000
    t.equal(await tell(), 3)
    at += 1
    t.strictSame([await tell(), await tell()], [4, 4])
    at += 90_000
    t.equal(await tell(), 5)
    await readAll(store, readerOf(store))
    t.ok((await webhooks(store)).every(({ state }) => state === 'read'))
  })

  test('a token that another replica has just made fits at once', async (t, { store }) => {
    const now = Date.now()
    const row = { id: 'shop', provider: 'third', connection_id: 'c', settings: '{}', is_default: 0, paused: 0 }
    const times = { created_at: now, updated_at: now, managed_by: 'api' as const }
    await changed(store, store.build.insertInto('channels').values({ ...row, ...times }))
    const [here, there] = [createWebhookTokens(store, 'pepper'), createWebhookTokens(store, 'pepper')]
    const before = (await there.current('shop', 'live'))!
    await here.rotate('shop', 'live', 60)
    const after = (await here.current('shop', 'live'))!
    t.not(after, before)
    await new Promise(resolve => setTimeout(resolve, 110))
    // An embedded store has one process.
    if (store.dialect === 'postgres') t.equal(await there.modeOf('shop', after), 'live')
    t.equal(await there.modeOf('shop', before), 'live', 'the one before for a while')
    t.equal(await there.modeOf('shop', 'x'.repeat(24)), undefined)
    const both = await Promise.allSettled([here, there].map(each => each.rotate('shop', 'live', 60)))
    for (const one of both) if (one.status === 'rejected') t.match(one.reason, { code: 'conflict' })
  })

  test('a store that does not answer is nobody’s fault, and holds up no other channel', async (t, { store }) => {
    let [locked, tried] = [true, 0]
    const handlers: HeardHandlers = {
      // biome-ignore lint/correctness/useYield: it fails before it asks for anything
      template: function* () {
        tried++
        if (locked) throw new StoreUnavailable('a lock that is held')
        return { outcome: 'done' }
      }
    }
    const received_at = Date.now() - 60_000
    const id = await keep(store, [template('held')], { received_at })
    await keep(store, [wrote(fresh())], { channel_id: 'three', received_at })
    const reader = readerOf(store, handlers)
    reader.start()
    await until(
      () => {
        reader.wake()
        return tried
      },
      times => times > 6
    )
    const found = await webhooks(store)
    t.match(
      found.map(each => [each.id === id, each.state]),
      [
        [true, 'waiting'],
        [false, 'read']
      ]
    )
    locked = false
    await readAll(store, reader)
    t.match((await webhooks(store))[0], { state: 'read', reason: null })
  })

  test('what cannot be read is set aside with its reason, and stops nothing', async (t, { store }) => {
    await keep(store, 'no JSON')
    await keep(store, Buffer.from([0xff, 0xfe]).toString('latin1'))
    await keep(store, { poison: true })
    await keep(store, [wrote(fresh())], { channel_id: 'gone' })
    await keep(store, [template('a'), wrote(fresh()), template('b')])
    await keep(store, [wrote(fresh())])
    const failing: HeardHandlers = {
      // biome-ignore lint/correctness/useYield: it fails before it asks for anything
      template: function* () {
        throw new Error('an effect that fails')
      }
    }
    await readAll(store, readerOf(store, failing))
    const found = await webhooks(store)
    t.strictSame(
      found.map(({ state }) => state),
      ['set_aside', 'set_aside', 'set_aside', 'set_aside', 'set_aside', 'read']
    )
    t.match(found, [
      { reason: /JSON/ },
      { reason: /JSON/ },
      { reason: /defect/ },
      { reason: /channel/ },
      { reason: /Number 3, a template/ }
    ])
    t.equal((await rows(store)).length, 2, 'what stands beside it has its effect')
  })

  test('what was kept is read again after a decoder was mended, with no effect twice', async (t, { store }) => {
    const since = new Date(Date.now() - 60_000).toISOString()
    let effects = 0
    const mended: HeardHandlers = {
      // biome-ignore lint/correctness/useYield: counting asks for nothing
      template: function* () {
        effects++
        return { outcome: 'done' }
      }
    }
    await keep(store, [template('a'), wrote(fresh()), told('sent', [fresh()])])
    await readAll(store, readerOf(store))
    t.equal(effects, 0, 'a kind without an effect')
    const replay = createReplay(store, channels, () => {})
    const admin = caller({ scopes: new Set(['admin']) })
    t.strictSame(await replay(admin, 'one', since), { bodies: 1 })
    await readAll(store, readerOf(store, mended))
    t.ok(effects >= 1, 'has it now')
    const had = effects
    t.strictSame(await replay(admin, 'one', since), { bodies: 1 })
    await readAll(store, readerOf(store, mended))
    t.equal(effects, had, 'once')
    t.equal((await rows(store)).length, 1)
    t.equal(
      (await store.read(store.build.selectFrom('parked_events').selectAll().compile())).length,
      2,
      'for each channel of that number'
    )
    t.strictSame(await replay(admin, 'one', new Date(Date.now() + 60_000).toISOString()), { bodies: 0 })
    await t.rejects(replay(admin, 'nobody', since), { code: 'not_found' })
    await changed(store, store.build.deleteFrom('heard_events'))
    await replay(admin, 'one', since)
    await readAll(store, readerOf(store, mended))
    t.ok(effects > had, 'CONTROL: it is the marks that keep it from having one twice')
  })

  test('replicas read each thing once, whoever takes it', async (t, { store, replica }) => {
    const there = await replica?.()
    const all = Array.from({ length: 40 }, () => Array.from({ length: 5 }, () => wrote(fresh())))
    for (const body of all) await keep(store, body)
    await readAll(store, readerOf(store), ...(there ? [readerOf(there), readerOf(there)] : []))
    t.equal((await rows(store)).length, 200)
    t.ok((await webhooks(store)).every(({ position }) => position === 5))
  })

  test('what names another number of the connection is read as that channel’s; no other is', async (t, { store }) => {
    const scoped = (phone: string) => ({ ...wrote(fresh()), scope: { phone } })
    await keep(store, [scoped('13'), scoped('15'), scoped('19')])
    await readAll(store, readerOf(store))
    t.strictSame(
      (await rows(store)).map(({ channel_id }) => channel_id),
      ['one', 'three']
    )
    await keep(store, [{ ...wrote(fresh()), scope: { phone: '15' } }], { channel_id: 'other' })
    await readAll(store, readerOf(store))
    t.equal(
      (await rows(store)).filter(({ channel_id }) => channel_id === 'other').length,
      1,
      'its own number is five long too'
    )
    t.equal((await rows(store)).length, 3, 'and no channel of another connection')
  })

  test('bodies, marks and what is parked are kept for eight days', async (t, { store }) => {
    const old = Date.now() - keepMs - 1000
    await keep(store, [told('sent', [fresh()])])
    await readAll(store, readerOf(store))
    const aged = { id: `${idAt(old)}7`, received_at: old, sha256: 'old' }
    await keep(store, [], { ...aged, state: 'read' })
    await keep(store, [], { ...aged, id: `${idAt(old)}8`, sha256: 'waits' })
    const marks = [old, old - 2 * 24 * 3600_000].map(at => ({
      channel_id: 'one',
      mode: 'live' as const,
      identity: `of ${at}`,
      at
    }))
    await changed(store, store.build.insertInto('heard_events').values(marks))
    const upkeep = createWebhookUpkeep(store, log)
    const count = async (table: 'webhooks' | 'heard_events' | 'parked_events' | 'message_ids') =>
      (await store.read(store.build.selectFrom(table).selectAll().compile())).length
    await upkeep.sweep()
    t.equal(await count('webhooks'), 2, 'what waits is never dropped')
    t.equal(await count('heard_events'), 2, 'marks outlive the bodies by a day')
    t.equal(await count('parked_events'), 2)
    for (const table of ['parked_events', 'message_ids'] as const)
      await changed(store, store.build.updateTable(table).set({ [table === 'message_ids' ? 'created_at' : 'at']: old }))
    await upkeep.sweep()
    t.equal(await count('parked_events'), 0)
    t.equal(await count('message_ids'), 0)
  })
}
