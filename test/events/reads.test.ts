import { sql } from 'kysely'
import t from 'tap'
import { createEvents, eventEntry } from '../../src/events/index.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { openStore } from '../../src/store/index.ts'
import { type Board, startBoard, until } from '../helper.ts'
import { log } from '../store/embedded.ts'
import { listen } from './listen.ts'

const scopes = ['messages:send', 'messages:read', 'events:read']
const text = (to: string) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const send = async (board: Board, key: string, to = '+14155550100') =>
  (await board.call('POST', '/messages', { key, body: text(to) })).body
/** The events of a page once there are so many. */
const page = (board: Board, key: string, query: string, count: number) =>
  until(
    () => board.call('GET', `/events?${query}`, { key }),
    ({ body }) => body.items.length >= count
  )

t.test('what has changed is told oldest first, page by page, as its GET tells it', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  // What a key hears of channels came before.
  const start = (await board.call('GET', '/events', { key })).body.nextCursor
  t.strictSame((await board.call('GET', `/events?since=${start}`, { key })).body, { items: [], nextCursor: start })
  const sent = [await send(board, key), await send(board, key, '+14155550101'), await send(board, key, '+14155550102')]
  const first = await page(board, key, `limit=2&since=${start}`, 2)
  const { items, nextCursor } = first.body
  t.strictSame(
    items.map(({ type }: { type: string }) => type),
    ['message.accepted', 'message.accepted']
  )
  t.strictSame(items[0].data, (await board.call('GET', `/messages/${sent[0].id}`, { key })).body)
  const rest = (await page(board, key, `since=${nextCursor}`, 1)).body
  t.strictSame(
    [...items, ...rest.items].map(({ data }) => data.id),
    sent.map(({ id }) => id)
  )
  t.strictSame((await board.call('GET', `/events?since=${rest.nextCursor}`, { key })).body, {
    items: [],
    nextCursor: rest.nextCursor
  })
  const byId = await board.call('GET', `/events?since=${items[0].id}`, { key })
  t.equal(byId.body.items[0].id, items[1].id, 'the id of an event is a place too')
})

t.test('events are narrowed by type and channel, and are of the own service alone', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  const other = await board.key({ scopes: [...scopes, 'read_all'], service: 'shipping' })
  await send(board, key)
  const failed = await send(board, key, '15550100001')
  t.equal(failed.status, 422)
  t.equal((await page(board, key, 'type=message.failed', 1)).body.items.length, 1)
  t.equal((await board.call('GET', '/events?channel=wati&type=message.accepted', { key })).body.items.length, 0)
  t.equal((await board.call('GET', '/events?channel=cloud&type=message.accepted', { key })).body.items.length, 1)
  const stranger = await board.key({ scopes, service: 'shipping' })
  const ofMessages = async (of: string) =>
    (await board.call('GET', '/events', { key: of })).body.items.filter(({ type }: { type: string }) =>
      /^mess/.test(type)
    )
  t.equal((await ofMessages(stranger)).length, 0)
  t.equal((await ofMessages(other)).length, 2)
  for (const [query, field] of [
    ['since=evt_1', 'query/since'],
    [`since=evt_${'f'.repeat(32)}`, 'query/since'],
    ['type=message.queued', 'query/type'],
    ['limit=0', 'query/limit']
  ] as const)
    t.match(
      (await board.call('GET', `/events?${query}`, { key })).body,
      { status: 400, errors: [{ path: field }] },
      query
    )
})

t.test('a stream tells what happens next, and goes on where it was without a gap or a repetition', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  await send(board, key)
  await page(board, key, 'type=message.accepted', 1)
  const one = await listen(board.url, key)
  t.equal(one.headers['x-accel-buffering'], 'no')
  t.equal(one.headers['cache-control'], 'no-store')
  await until(one.lastId, id => id !== '')
  const sent = [await send(board, key, '+14155550101')]
  await until(
    () => one.events.length,
    count => count === 1
  )
  t.match(one.events[0], { type: 'message.accepted', data: { id: one.lastId(), data: { id: sent[0].id } } })
  one.close()
  await one.ended
  sent.push(await send(board, key, '+14155550102'), await send(board, key, '+14155550103'))
  const two = await listen(board.url, key, { lastId: one.lastId() })
  sent.push(await send(board, key, '+14155550104'))
  await until(
    () => two.events.length,
    count => count >= 3
  )
  const ids = [...one.events, ...two.events].map(({ data }) => (data.data as { id: string }).id)
  t.strictSame(
    ids,
    sent.map(({ id }) => id)
  )
  two.close()
  const wrong = await board.call('GET', '/events/stream', { key, headers: { 'last-event-id': 'evt_1' } })
  t.match(wrong.body, { status: 400, errors: [{ path: /last-event-id/i }] })
})

t.test('an empty page says that there is nothing new, however much of others lies between', async t => {
  const store = await openStore({ directory: t.testdir() }, log)
  t.teardown(() => store.close())
  const happen = (service: string) =>
    store.write(function* () {
      yield eventEntry(store, { type: 'contact.changed', mode: 'live', channel: 'cloud', service, data: {} })
    })
  await happen('mine')
  // More than are gone through in one read.
  for (let part = 0; part < 6; part++)
    await store.write(function* () {
      const others = sql`
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
        insert into events (position, nonce, type, at, mode, channel_id, service, data)
        select (select max(position) from events) + i, 'n' || i, 'contact.changed', 1, 'live', 'cloud', 'another', '{}' from n`
      yield others.compile(store.build)
    })
  await happen('mine')
  const { reads } = createEvents({ store, log })
  const mine: Caller = { keyId: 'key_1', service: 'mine', mode: 'live', scopes: new Set(['events:read']) }
  const first = await reads.list(mine, { limit: 1 })
  t.equal(first.items.length, 1)
  const second = await reads.list(mine, { since: first.nextCursor })
  t.equal(second.items.length, 1)
  t.strictSame(await reads.list(mine, { since: second.nextCursor }), { items: [], nextCursor: second.nextCursor })
})

t.test('whoever was cut off before anything happened misses nothing either', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  const one = await listen(board.url, key)
  await until(one.lastId, id => id !== '')
  one.close()
  const { id } = await send(board, key)
  const two = await listen(board.url, key, { lastId: one.lastId() })
  await until(
    () => two.events.length,
    count => count === 1
  )
  t.match(two.events[0]!.data, { data: { id } })
  two.close()
})

t.test('the end of a key ends its stream, and so does the end of the server', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  const kept = await board.key({ scopes })
  // On a busy machine a key may have ended before anybody listens with it: then another is made.
  const expired = await until(
    async () => listen(board.url, await board.key({ scopes, expiresAt: new Date(Date.now() + 1500).toISOString() })),
    ({ status }) => status === 200
  )
  const [revoked, open] = await Promise.all([key, kept].map(each => listen(board.url, each)))
  const { id } = (await board.call('GET', '/keys/self', { key })).body
  await board.call('DELETE', `/keys/${id}`)
  await Promise.all([revoked!.ended, expired.ended])
  await send(board, kept)
  await until(
    () => open!.events.length,
    count => count === 1
  )
  await board.close()
  await open!.ended
  t.equal(open!.events.length, 1)
})
