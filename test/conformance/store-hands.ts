import type { HeardStatus, Person } from '../../src/adapters/adapter.ts'
import { createBook, toContact } from '../../src/contacts/book.ts'
import { createErase } from '../../src/contacts/erase.ts'
import { createDoor } from '../../src/inbound/door.ts'
import { createEffects } from '../../src/inbound/effects.ts'
import { ofPerson } from '../../src/messages/filter.ts'
import { identities } from '../../src/messages/identities.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { createSuppressed } from '../../src/messages/suppressed.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Store } from '../../src/store/store.ts'
import { createEntries } from '../../src/suppressions/entries.ts'
import { createHeardWills } from '../../src/suppressions/heard.ts'
import { apply, channel, fresh, place, taken, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { caller, changed, get } from './store-rows.ts'

// A number goes from Adam to Dora (docs/decisions/0106): whose is what, and in whatever order it is told.

const [n1, n2, adam, dora] = ['14155550101', '14155550102', 'DE.ADAM1', 'DE.DORA1'] as const
const begun = Math.floor(Date.now() / 1000) * 1000 - 3600_000
const second = (n: number): number => begun + n * 1000
const at = (id: string) => ({ ...place, channel: { ...channel, id }, siblings: [id], receivedAt: Date.now() })
const support = { channel_id: 'support', mode: 'live' } as const

const writes = (store: Store, sender: Person, body: string, n: number, id = 'support') =>
  apply(store, { ...wrote(fresh(), { content: { body } }, sender), at: second(n) }, at(id))
const moves = (store: Store, before: Person, after: Person, n: number) =>
  apply(
    store,
    { kind: 'person', identity: fresh(), scope: {}, change: 'number', before, after, at: second(n) },
    at('support')
  )
const names = async (store: Store, name: string, on: string | undefined = 'support') =>
  (await identities(store).of('live', on, name)).sort()
const words = async (store: Store, name: string, on?: string) => {
  const query = store.build
    .selectFrom('messages')
    .select('content')
    .where(ofPerson(await names(store, name, on)))
  const found = await store.read(query.where('content', 'is not', null).orderBy('created_at').compile())
  return found.map(({ content }) => (JSON.parse(content!) as { body: string }).body)
}
const erases = (store: Store, name: string) =>
  createErase({ store, queries: messageQueries(store), keepSuppressed: function* () {} })(
    caller({ scopes: new Set(['admin']) }),
    name
  )
function suppressing(store: Store) {
  const suppressed = createSuppressed(store, 'pepper')
  const entries = createEntries(store, suppressed)
  const stopped = async (contact: string, channel_id = 'support') => {
    const keys = suppressed.keysOf({ mode: 'live', channel_id, contact }, { marketing: true, exempt: false })
    return (await store.read(suppressed.look(keys))).length > 0
  }
  return { entries, stopped, wills: createHeardWills(store, entries) }
}

export function handCases(test: Case): void {
  test('each of the two is erased alone, whoever is first', async (t, { store }) => {
    for (const [i, first] of [adam, dora].entries()) {
      const number = `${n1}${i}`
      await writes(store, { phone: number, userId: adam }, 'Adam', 0)
      await writes(store, { phone: number, userId: dora }, 'Dora', 10)
      await erases(store, first)
      t.strictSame(await words(store, first === adam ? dora : adam), [first === adam ? 'Dora' : 'Adam'], first)
      t.strictSame(await words(store, first), [])
      await erases(store, first === adam ? dora : adam)
      t.strictSame(await store.read(store.build.selectFrom('identities').selectAll().compile()), [])
    }
  })

  test('a stop that the former owner said and that comes late is the former owner’s, its answer too', async (t, {
    store
  }) => {
    const { wills, stopped } = suppressing(store)
    const effects = createEffects({ store, typeBase: '', keepFile: null as never, ...wills })
    const optOut = { words: ['STOP'], category: 'all', confirm: 'bye' }
    const told_ = { ...at('support'), channel: { ...channel, settings: { optOut } } }
    await writes(store, { phone: n1, userId: adam }, 'Adam', 0)
    await writes(store, { phone: n1, userId: dora }, 'Dora', 100)
    const person = { phone: n1, userId: adam }
    const preference = { kind: 'preference', category: 'marketing', value: 'stop', person, at: second(50) } as const
    await store.write(() => effects.apply({ ...preference, identity: 'p', scope: {} }, told_))
    t.strictSame([await stopped(adam), await stopped(n1), await stopped(dora)], [true, false, false])
    const stop = { ...wrote(fresh(), { content: { body: 'STOP' } }, person), at: second(60) }
    await store.write(() => effects.apply(stop, told_))
    t.strictSame([await stopped(adam), await stopped(n1)], [true, false])
    const sent = store.build.selectFrom('messages').select(['contact', 'user_id']).where('direction', '=', 'outbound')
    t.strictSame(
      (await store.read(sent.compile())).map(row => ({ ...row })),
      [{ contact: adam, user_id: adam }]
    )
  })

  test('numbers that are told without an id make no two people one; both spellings go together', async (t, {
    store
  }) => {
    const [short, long] = ['525512345678', '5215512345678']
    const link = () => store.write(() => identities(store).link(support, { names: [short, long] }))
    await link()
    await writes(store, { phone: long, userId: adam }, 'Adam', 0)
    await createBook(store).upsert({ channel: 'support', mode: 'live' }, short, { name: 'Adam' })
    await writes(store, { phone: long, userId: dora }, 'Dora', 10)
    await link()
    t.strictSame(await names(store, dora), [dora, long, short].sort())
    t.strictSame(await names(store, adam), [adam])
    const card = async (name: string) => createBook(store).get({ channel: 'support', mode: 'live' }, name)
    t.match([await card(dora), toContact((await card(adam))!)], [undefined, { name: 'Adam', phone: null }])
    await writes(store, { phone: short, userId: 'MX.THIRD' }, 'Third', 20)
    t.strictSame(await names(store, long), [long], 'the one spelling that is told stands for both')
    t.strictSame(await names(store, 'MX.THIRD'), ['MX.THIRD', short].sort())
    t.strictSame(await words(store, dora, 'support'), ['Dora'])
  })

  test('a late status of an old message takes no number back, and its fallback does not go to a stranger', async (t, {
    store
  }) => {
    await writes(store, { phone: n1, userId: adam }, 'Adam', 0)
    const [one, two] = [fresh(), fresh()]
    const fallback = JSON.stringify({ fallback: { template: { name: 'x' } } })
    const row = await taken(store, [one], { contact: n1, created_at: second(1) })
    const falls = await taken(store, [two], { contact: n1, created_at: second(1), options: fallback, expires_at: null })
    await moves(store, { phone: n1 }, { phone: n2, userId: 'DE.ADAM2' }, 5)
    await writes(store, { phone: n1, userId: dora }, 'Dora', 10)
    const status = (id: string, recipient: Person, more: Partial<HeardStatus> = {}) =>
      apply(store, told('delivered', [id], { at: second(20), recipient, ...more }), at('support'))
    await status(one, { phone: n2 })
    await apply(
      store,
      told('read', [one], { at: second(30), recipient: { phone: n2, userId: 'DE.ADAM2' } }),
      at('support')
    )
    t.strictSame(await names(store, n1), [n1, dora])
    t.strictSame(await names(store, n2), [n2, adam, 'DE.ADAM2'].sort())
    t.match(await get(store, row.id), { state: 'read', user_id: 'DE.ADAM2' })
    const provider = { name: 'wati', status: null }
    const failure = { code: 'window_closed', detail: 'closed', provider } as const
    await apply(store, told('failed', [two], { at: second(20), failure }), at('support'))
    t.match(await get(store, falls.id), { state: 'failed', type: 'text' })
  })

  test('on every channel where the number is the person’s it leaves, and what was said elsewhere stays', async (t, {
    store
  }) => {
    const { entries, stopped } = suppressing(store)
    const says = (identity: string, channel_id: string, source: 'word' | 'api' = 'word') =>
      store.write(() => entries.add({ mode: 'live', identity, channel_id, category: 'all', source, saidAt: second(1) }))
    for (const id of ['support', 'shop']) await writes(store, { phone: n1, userId: adam }, `Adam at ${id}`, 0, id)
    await writes(store, { phone: n1, userId: 'US.OTHER' }, 'Adam elsewhere', 0, 'elsewhere')
    await says(n1, 'elsewhere')
    await says(n1, 'support', 'api')
    await says(adam, 'support')
    await writes(store, { phone: n1, userId: dora }, 'Dora', 10)
    for (const on of [undefined, 'support', 'shop']) t.strictSame(await names(store, adam, on), [adam], String(on))
    t.strictSame(await words(store, adam), ['Adam at support', 'Adam at shop'])
    t.equal(await stopped('US.OTHER', 'elsewhere'), true, 'another business heard that one')
    await store.write(() => entries.remove('live', { names: [adam] }, { sources: ['word'], saidUntil: Date.now() }))
    t.equal(
      await stopped(adam),
      true,
      'what a caller keeps goes along, and stays when the person takes the own word back'
    )
  })

  test('who was erased is not brought back by what the provider repeats', async (t, { store }) => {
    const said = { ...wrote(fresh(), { content: { body: 'a secret' } }, { phone: n1, userId: adam }), at: second(0) }
    await apply(store, said, at('support'))
    const parts = { store, adapters: new Map(), channels: {} as never, tokens: {} as never, metrics: createMetrics() }
    const door = createDoor({ ...parts, wake: () => {} })
    const admission = { channelId: 'support', mode: 'live', provider: 'wati', settings: {}, token: 'x' } as never
    const bytes = Buffer.from(JSON.stringify({ from: n1, text: 'call me:\u00a0a secret' }))
    await door.receive(admission, {}, bytes)
    const aged = { received_at: Date.now() - 90_000, state: 'read' as const }
    await changed(store, store.build.updateTable('webhooks').set(aged))
    await erases(store, n1)
    await door.receive(admission, {}, bytes)
    await apply(store, said, at('support'))
    const kept = await store.read(store.build.selectFrom('webhook_bodies').select('body').compile())
    t.strictSame(
      kept.map(({ body }) => Buffer.from(body).toString()),
      ['{}']
    )
    t.strictSame(await store.read(store.build.selectFrom('identities').selectAll().compile()), [])
    t.strictSame(await words(store, n1), [])
  })
}
