import { CompiledQuery, sql } from 'kysely'
import pino from 'pino'
import type { Test } from 'tap'
import type { EventType } from '../../schemas/events.ts'
import { createJournal, eventEntry, hears, type Journal, placeOf, toCursor } from '../../src/events/index.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { toMessage } from '../../src/messages/view.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { createUpkeep } from '../../src/store/upkeep.ts'
import { until } from '../until.ts'
import { apply, fresh, taken, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { caller, changed, entry, failure, get, message, outcome, put } from './store-rows.ts'

const log = pino({ level: 'silent' })
const all = () => true

/** A journal that looks by itself, as it does in a server. */
function opened(t: Test, store: Store): Journal {
  const journal = createJournal(store, log)
  journal.start()
  t.teardown(journal.stop)
  return journal
}
/** The first events once there are so many. */
async function events(journal: Journal, count: number, after = 0) {
  const read = async () => (await journal.read({ after, limit: 100, filter: all })).events
  return until(read, found => found.length >= count)
}
const types = (found: Awaited<ReturnType<typeof events>>): EventType[] => found.map(({ event }) => event.type)

/** Events and rows agree (docs/reliability.md P53): exactly one for each change of state, in the commit of the change. */
export function eventCases(test: Case): void {
  test('a message has one event for each state that it comes to, in their order', async (t, { store }) => {
    const journal = opened(t, store)
    const queries = messageQueries(store)
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    await changed(store, queries.settle(outcome(row, { provider_message_id: 'wamid.e' })))
    await changed(store, queries.settle(outcome(row)))
    for (const status of ['sent', 'delivered', 'delivered', 'read'] as const)
      await apply(store, { ...told(status, ['wamid.e'], { ours: row.id }), identity: `${status}/${fresh()}` })
    const found = await events(journal, 4)
    t.strictSame(types(found), ['message.accepted', 'message.sent', 'message.delivered', 'message.read'])
    const sequences = found.map(({ event }) => event.sequence)
    t.strictSame(
      sequences,
      [...sequences].sort((a, b) => a - b)
    )
    t.equal(new Set(sequences).size, 4)
    t.match(found[0], {
      contact: '14155551234',
      event: { channel: 'support', service: 'billing', mode: 'live', apiVersion: '1' }
    })
  })

  test('what an event tells is the message as its GET told it then', async (t, { store }) => {
    const journal = opened(t, store)
    const row = await taken(store, ['wamid.then'])
    const then: object[] = [toMessage(await get(store, row.id))]
    for (const status of ['sent', 'delivered', 'read'] as const) {
      await apply(store, told(status, ['wamid.then'], { identity: fresh() }))
      then.push(toMessage(await get(store, row.id)))
    }
    const found = await events(journal, 4)
    t.strictSame(
      found.slice(1).map(({ event }) => event.data),
      then.slice(1)
    )
  })

  test('a change of many messages writes an event for each', async (t, { store }) => {
    const journal = opened(t, store)
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        put(store, message({ broadcast_id: 'brd_1', contact: `1415555${1000 + i}` }))
      )
    )
    const cancel = (await import('../../src/messages/transitions/broadcast.ts')).broadcastTransitions(store).cancelSome
    await changed(store, cancel({ id: 'brd_1', entry }))
    await changed(store, cancel({ id: 'brd_1', entry }))
    const found = await events(journal, 20)
    t.equal(found.length, 20)
    t.strictSame(new Set(found.map(({ event }) => event.data.id)), new Set(ids.map(({ id }) => id)))
    t.ok(found.every(({ event }) => event.type === 'message.canceled' && event.data.status === 'canceled'))
  })

  test('a unit that comes to nothing leaves no event', async (t, { store }) => {
    const journal = opened(t, store)
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    await failure(
      store.write(function* () {
        yield messageQueries(store).settle(outcome(row))
        yield eventEntry(store, { type: 'channel.updated', mode: 'live', channel: 'support', data: {} })
        throw new Error('no')
      })
    )
    await changed(store, messageQueries(store).settle(outcome(row, { state: 'failed', final: 1, failed_at: 1 })))
    t.strictSame(types(await events(journal, 1)), ['message.failed'])
  })

  test('CONTROL: without the trigger a change has no event', async (t, { store }) => {
    const journal = opened(t, store)
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    const accept = messageQueries(store).settle(outcome(row))
    const told = async (sabotage: string[]) => {
      let count = -1
      await failure(
        store.write(function* () {
          for (const statement of sabotage) yield CompiledQuery.raw(statement)
          yield accept
          count = (yield store.build.selectFrom('events').select('type').compile()).rows.length
          throw new Error('as it was before')
        })
      )
      return count
    }
    const on = store.dialect === 'postgres' ? ' on messages' : ''
    t.equal(await told([`drop trigger messages_moved${on}`]), 0)
    t.equal(await told([]), 1)
    t.strictSame(await events(journal, 0), [])
  })

  test('what is heard from people and operators is told once', async (t, { store }) => {
    const journal = opened(t, store)
    const heard = wrote('wamid.in')
    await apply(store, heard)
    await apply(store, heard)
    const found = await events(journal, 1)
    t.strictSame(types(found), ['message.received'])
    t.match(found[0]!.event, {
      type: 'message.received',
      channel: 'support',
      data: { from: '14155550100', status: 'received' }
    })
    t.notOk('service' in found[0]!.event)
  })

  test('a fallback that was not needed tells of no failure, and what was accepted before it keeps its words', async (t, {
    store
  }) => {
    const journal = opened(t, store)
    const options = JSON.stringify({ fallback: { template: { name: 'hello' } } })
    const row = await put(store, message({ state: 'sending', attempts: 1, options }))
    await changed(store, messageQueries(store).settle(outcome(row, { provider_message_id: 'wamid.f' })))
    const ours = { ours: row.id }
    const failed = told('failed', ['wamid.f'], {
      ...ours,
      failure: { code: 'window_closed', detail: 'closed', provider: { name: 'wati', status: null } }
    })
    await apply(store, failed)
    t.equal((await get(store, row.id)).state, 'queued')
    t.match((await events(journal, 1))[0]!.event.data, { type: 'text', text: { body: 'Hello' } })
    await apply(store, told('delivered', ['wamid.f'], ours))
    t.strictSame(types(await events(journal, 2)), ['message.accepted', 'message.delivered'])
  })

  test('a reader goes on where it was, page by page, and a filter leaves out', async (t, { store }) => {
    const journal = opened(t, store)
    const say = (type: EventType, channel: string | null, service = '', mode: 'live' | 'test' = 'live') =>
      store.write(function* () {
        yield eventEntry(store, { type, mode, channel, service, data: { type } })
      })
    for (let i = 0; i < 30; i++) await say('channel.updated', i % 3 === 0 ? 'support' : 'sales')
    await events(journal, 30)
    const seen: number[] = []
    for (let after = 0, more = true; more; ) {
      const page = await journal.read({ after, limit: 4, filter: head => head.channel_id === 'support' })
      seen.push(...page.events.map(({ head }) => head.position))
      ;({ next: after, more } = page)
    }
    t.equal(seen.length, 10)
    t.strictSame(
      seen,
      [...new Set(seen)].sort((a, b) => a - b)
    )
    const { head, event } = (await events(journal, 30))[0]!
    t.equal(placeOf(event.id), head.position)
    t.equal(placeOf(toCursor(7)), 7)
    t.equal(placeOf('evt_1'), undefined)
    t.match(await journal.at(head.position), { event: { type: 'channel.updated' } })
    t.equal(await journal.at(7), undefined)
  })

  test('a key hears of its own service, and of what its channels received', async (t, { store }) => {
    const journal = opened(t, store)
    const say = (type: EventType, channel: string | null, service = '', mode: 'live' | 'test' = 'live') =>
      store.write(function* () {
        yield eventEntry(store, { type, mode, channel, service, data: {} })
      })
    await say('message.sent', 'support', 'billing')
    await say('message.sent', 'support', 'other')
    await say('message.received', 'support')
    await say('message.received', 'sales')
    await say('channel.updated', 'support')
    await say('connection.changed', null)
    await say('broadcast.finished', 'support', 'billing', 'test')
    await events(journal, 7)
    const heardBy = async (changes: Parameters<typeof caller>[0]) => {
      const { events: found } = await journal.read({ after: 0, limit: 100, filter: hears(caller(changes)) })
      return found.map(({ event }) => `${event.type} ${event.channel} ${event.service ?? ''}`.trim())
    }
    const scopes = (...names: string[]) => new Set(['events:read', ...names]) as never
    t.strictSame(await heardBy({ scopes: scopes() }), ['message.sent support billing', 'channel.updated support'])
    t.strictSame(await heardBy({ scopes: scopes('inbound:read'), channels: new Set(['sales']) }), [
      'message.received sales'
    ])
    t.equal((await heardBy({ scopes: scopes('read_all') })).length, 3)
    t.equal((await heardBy({ scopes: scopes('admin') })).length, 6)
    t.strictSame(await heardBy({ scopes: scopes('admin'), mode: 'test' }), ['broadcast.finished support billing'])
  })

  test('whoever waits is told of something new', async (t, { store }) => {
    const journal = opened(t, store)
    let heard = 0
    const end = journal.onNews(() => heard++)
    await put(store, message({ state: 'sending', attempts: 1 })).then(row =>
      changed(store, messageQueries(store).settle(outcome(row)))
    )
    await until(
      () => heard,
      count => count > 0
    )
    end()
    t.equal((await events(journal, 1)).length, 1)
  })

  test('events are kept as long as content is, and longer while they are to be delivered', async (t, { store }) => {
    const journal = opened(t, store)
    const day = 24 * 3600_000
    const rows = await Promise.all([0, 1, 2].map(() => taken(store, [fresh()])))
    const found = await events(journal, 3)
    const [waiting, over, young] = rows as [MessageRow, MessageRow, MessageRow]
    /** Events, and messages with their ids, as old as that. */
    const age = async ({ id }: MessageRow, days: number): Promise<string> => {
      const old = `msg_${(Date.now() - days * day).toString(16).padStart(12, '0')}${id.slice(16)}`
      await store.write(function* () {
        const moved = { message_id: old, position: sql<number>`position - ${days * day * 1000}` }
        yield store.build.updateTable('events').set(moved).where('message_id', '=', id).compile()
        yield store.build.updateTable('messages').set({ id: old }).where('id', '=', id).compile()
      })
      return old
    }
    const ids = [await age(waiting, 5), await age(over, 5), await age(young, 2)]
    const kept = (await events(journal, 3)).find(({ event }) => event.data.id === ids[0])!.head.position
    let delivered = false
    const undelivered = async (positions: number[]) =>
      new Set(positions.filter(position => position === kept && !delivered))
    const sweep = createUpkeep(store, log, 3, 400, undelivered).sweep
    await sweep()
    const left = async () => (await events(journal, 0)).map(({ event: { data } }) => [data.id, 'text' in data])
    t.equal(found.length, 3)
    t.strictSame(await left(), [
      [ids[0], true],
      [ids[2], true]
    ])
    t.equal((await get(store, ids[1]!)).content, null)
    delivered = true
    await sweep()
    t.strictSame(await left(), [[ids[2], true]])
    t.equal((await get(store, ids[0]!)).content, null)
  })

  test('an event of which the message has gone goes with it', async (t, { store }) => {
    const journal = opened(t, store)
    const row = await taken(store, [fresh()], { timeline: '' })
    await events(journal, 1)
    const old = `msg_${(Date.now() - 20 * 24 * 3600_000).toString(16).padStart(12, '0')}${row.id.slice(16)}`
    await changed(store, store.build.updateTable('messages').set({ id: old, created_at: 1 }).where('id', '=', row.id))
    await changed(store, store.build.updateTable('events').set({ message_id: old }).where('message_id', '=', row.id))
    await createUpkeep(store, log, 8, 8).sweep()
    t.strictSame(await events(journal, 0), [])
    t.strictSame(await store.read(store.build.selectFrom('events').selectAll().compile()), [])
  })
}
