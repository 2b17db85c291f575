import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { adapters } from '../../src/adapters/index.ts'
import { createChannels } from '../../src/channels/channels.ts'
import { createDeliverBy } from '../../src/events/deliver-by.ts'
import { createJournal } from '../../src/events/index.ts'
import { createEffects } from '../../src/inbound/effects.ts'
import { createTemplateHandler } from '../../src/inbound/templates.ts'
import { createSeal } from '../../src/keys/seal.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import type { Store } from '../../src/store/store.ts'
import { apply, fresh, place, taken, told } from './heard-rows.ts'
import type { Case } from './store.ts'
import { caller, changed, entry, message, put } from './store-rows.ts'

const log = pino({ level: 'silent' })
const admin = caller({ keyId: 'key_admin', scopes: new Set(['admin']) })

/** All events so far, without waiting: none is missing that has been committed. */
async function events(store: Store) {
  const journal = createJournal(store, log)
  journal.start()
  await journal.stop()
  return (await journal.read({ after: 0, limit: 100, filter: () => true })).events.map(({ event }) => event)
}
const dataOf = async (store: Store) => (await events(store)).map(({ data }) => data)

/** What has an event beside the states of messages, and what has none because nothing changed (docs/api.md 12). */
export function happeningCases(test: Case): void {
  test('a channel that is another than before has one event, and one that is not has none', async (t, { store }) => {
    const channels = createChannels({ store, adapters, seal: createSeal('pepper'), believeMs: 0 })
    const input = {
      provider: 'whatsapp-cloud',
      connectionId: 'c',
      settings: { phoneNumberId: '1', businessAccountId: '2', appSecret: 'a'.repeat(32) }
    }
    await channels.create({ id: 'a', ...input, default: true }, admin)
    await channels.create({ id: 'b', ...input }, admin)
    await channels.create({ id: 'b', ...input }, admin).catch(() => undefined)
    await channels.patch('a', { connectionId: 'c' }, admin)
    await channels.patch('b', { default: true }, admin)
    for (const paused of [true, true, false, false]) await channels.pause('a', paused, admin)
    await channels.remove('a', admin)
    const found = await dataOf(store)
    t.strictSame(found.map(({ id, change }) => `${id} ${change}`).slice(0, 2), ['a created', 'b created'])
    t.strictSame(
      found
        .map(({ id, change }) => `${id} ${change}`)
        .slice(2)
        .sort(),
      ['b changed', 'a changed', 'a paused', 'a resumed', 'a deleted'].sort(),
      'the one that is no default any more has changed too'
    )
    t.notOk(JSON.stringify(found).includes('aaaa'), 'no secret')
  })

  test('a channels file that is read again tells of what is different in it', async (t, { store }) => {
    const directory = await mkdtemp(join(tmpdir(), 'switchboard-events-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const path = join(directory, 'channels')
    const channels = createChannels({ store, adapters, seal: createSeal('pepper'), believeMs: 0 })
    const apply = async (...ids: string[]) => {
      const declared = ids.map(id => ({
        id,
        provider: 'whatsapp-cloud',
        connectionId: `con-${id}`,
        settings: { phoneNumberId: '1', businessAccountId: '2', appSecret: 'a'.repeat(32) }
      }))
      await writeFile(path, JSON.stringify({ channels: declared }))
      await channels.applyFile(path)
    }
    await apply('x', 'y')
    await apply('x', 'y')
    await apply('y')
    t.strictSame(
      (await dataOf(store)).map(({ id, change }) => `${id} ${change}`),
      ['x created', 'y created', 'x deleted']
    )
  })

  test('what providers tell of templates, people, conversations and accounts is told once', async (t, { store }) => {
    const effects = createEffects({
      store,
      typeBase: '',
      keepFile: () => ({ id: 'med_1', query: { sql: 'select 1', parameters: [] } as never }),
      handlers: createTemplateHandler(store, () => undefined)
    })
    const heard = [
      { kind: 'template', change: 'status', name: 'hello', language: 'en', value: 'approved', before: 'pending' },
      {
        kind: 'person',
        change: 'number',
        before: { phone: '14155550100' },
        after: { phone: '14155550199', name: 'Ada' }
      },
      { kind: 'person', change: 'identity', before: { phone: '14155550199' }, after: { phone: '14155550199' } },
      {
        kind: 'ownership',
        person: { phone: '14155550199' },
        change: 'control_taken',
        ours: false,
        detail: { by: 'bot' }
      },
      { kind: 'account', event: 'phone_number_quality_update.upgrade', detail: { current_limit: 'TIER_10K' } }
    ].map((each, i) => ({ ...each, identity: `told/${i}`, scope: {} }))
    for (const each of [...heard, ...heard]) await store.write(() => effects.apply(each as never, place))
    const found = await events(store)
    t.strictSame(
      found.map(({ type }) => type),
      ['template.updated', 'contact.changed', 'contact.changed', 'conversation.ownership', 'channel.updated']
    )
    t.match(found[0], {
      channel: 'support',
      mode: 'live',
      data: { name: 'hello', value: 'approved', before: 'pending' }
    })
    t.match(found[1]!.data, {
      change: 'number',
      before: { waId: '14155550100' },
      after: { waId: '14155550199', name: 'Ada' }
    })
    t.match(found[3]!.data, {
      person: { waId: '14155550199' },
      change: 'control_taken',
      ours: false,
      detail: { by: 'bot' }
    })
    t.match(found[4]!.data, { id: 'support', change: 'account', event: 'phone_number_quality_update.upgrade' })
    t.notOk(found.some(event => 'service' in event))
  })

  test('what has no instant is a repeat soon afterwards, and news after something else; a replay is none', async (t, {
    store
  }) => {
    const handlers = createTemplateHandler(store, () => undefined)
    const effects = createEffects({ store, typeBase: '', keepFile: null as never, handlers })
    const tell = (minutes: number, value: string, more: object = { timeless: 'offer' }) => {
      const receivedAt = place.receivedAt + minutes * 60_000
      const status = { kind: 'template', change: 'status', name: 'offer', identity: `offer/${value}`, scope: {}, value }
      return store.write(() => effects.apply({ ...status, ...more } as never, { ...place, receivedAt }))
    }
    const values = async () => (await dataOf(store)).map(({ value }) => value)
    const all = [
      [0, 'paused'],
      [10, 'paused'],
      [20, 'approved'],
      [20.01, 'paused'],
      [21, 'paused'],
      [200, 'paused']
    ] as const
    for (const [minutes, value] of [...all, ...all]) await tell(minutes, value)
    t.strictSame(await values(), ['paused', 'approved', 'paused', 'paused'])
    for (const minutes of [0, 180]) await tell(minutes, 'paused', { identity: 'offer/paused/1795774456000' })
    t.equal((await values()).length, 5, 'what has an instant is told once')
    await tell(0, 'paused', { timeless: 'offer2' })
    t.equal((await values()).length, 6, 'CONTROL: another one’s')
  })

  test('what is not delivered by its deliverBy is told of once, whatever else became of it', async (t, { store }) => {
    const { run } = createDeliverBy(store, log)
    const past = Date.now() - 1000
    const taking = (changes = {}) => taken(store, [fresh()], { deliver_by: past, ...changes })
    const late = await taking()
    const failed = await taking({ state: 'failed', final: 1 })
    const delivered = await taking({ state: 'delivered', delivered_at: 5 })
    const readAtOnce = await taking({ state: 'read', read_at: 5 })
    const canceled = await put(store, message({ deliver_by: past }))
    await changed(store, messageQueries(store).cancel({ id: canceled.id, entry }))
    await taking({ deliver_by: Date.now() + 60_000 })
    await taking({ deliver_by: null })
    const waiting = await put(store, message({ deliver_by: past }))
    t.equal(await run(), 3)
    t.equal(await run(), 0)
    const found = (await events(store)).filter(({ type }) => type === 'message.undelivered')
    t.strictSame(new Set(found.map(({ data }) => data.id)), new Set([late.id, failed.id, waiting.id]))
    const told_ = found.find(({ data }) => data.id === late.id)!
    t.match(told_.data, { status: 'accepted', deliverBy: new Date(past).toISOString(), undeliveredAt: String })
    t.notOk(found.some(({ data }) => data.id === delivered.id || data.id === readAtOnce.id))
    // Too late, and told of as it is.
    await apply(store, told('delivered', [late.provider_message_id!]))
    const after = (await events(store)).at(-1)!
    t.match(after, { type: 'message.delivered', data: { id: late.id, undeliveredAt: told_.data.undeliveredAt } })
    t.equal(await run(), 0)
  })

  test('many that are overdue at once are told of each', async (t, { store }) => {
    const rows = Array.from({ length: 5 }, () => message({ deliver_by: Date.now() - 1000 }))
    for (const row of rows) await put(store, row)
    const runs = await Promise.all([1, 2, 3].map(() => createDeliverBy(store, log).run()))
    t.equal(
      runs.reduce((sum, count) => sum + count, 0),
      5
    )
    t.equal((await events(store)).length, 5)
  })
}
