import type { Person } from '../../src/adapters/adapter.ts'
import { createBook, toContact } from '../../src/contacts/book.ts'
import { ofPerson } from '../../src/messages/filter.ts'
import { identities } from '../../src/messages/identities.ts'
import { createSuppressed } from '../../src/messages/suppressed.ts'
import type { Store } from '../../src/store/store.ts'
import { createEntries } from '../../src/suppressions/entries.ts'
import { apply, fresh, place as place_, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { get, message, put } from './store-rows.ts'

const of = { channel: 'support', mode: 'live' } as const
const place = { channel_id: 'support', mode: 'live' } as const
const dialled = '525512345678'
const known = '5215512345678'
const userId = 'MX.13491208655302741918'

const words = (store: Store, names: string[]) =>
  store
    .read(
      store.build
        .selectFrom('messages')
        .select(['content', 'created_at'])
        .where(ofPerson(names))
        .orderBy('created_at')
        .compile()
    )
    .then(found => found.map(({ content }) => (JSON.parse(content!) as { body: string }).body))
let clock = Date.now() - 3600_000
/** Somebody writes, a second after whatever was before. */
const writes = async (store: Store, phone: string, id: string, body: string, at = (clock += 1000)) => {
  await apply(store, { ...wrote(fresh(), { content: { body } }, { phone, userId: id }), at })
  return at
}
const moves = (store: Store, before: Person, after: Person, at = (clock += 1000)) =>
  apply(store, { kind: 'person', identity: `person/${fresh()}`, scope: {}, change: 'number', before, after, at })
const numbers = { n1: '14155550101', n2: '14155550102' }

/** The names of one person belong together, in whatever order that was learnt. */
export function identityCases(test: Case): void {
  test('what was linked is one person, whichever name is asked for', async (t, { store }) => {
    const people = identities(store)
    const names = async (name: string) => (await people.of('live', 'support', name)).sort()
    t.strictSame(await names(dialled), [dialled], 'of nobody but itself')
    await store.write(() => people.link(place, { names: [dialled, known] }))
    await store.write(() => people.link(place, { names: ['1', '2', undefined, '2'] }))
    await store.write(() => people.link(place, { names: [known, userId] }))
    for (const name of [dialled, known, userId]) t.strictSame(await names(name), [known, dialled, userId].sort(), name)
    t.strictSame(await people.of('live', undefined, userId), [userId, known, dialled], 'asked on no channel')
    t.strictSame(await names('1'), ['1', '2'], 'others stay others')
    await store.write(() => people.link(place, { names: [userId, '1'] }))
    t.equal((await names('2')).length, 5, 'two people who turn out to be one')
    t.strictSame(await people.of('test', 'support', dialled), [dialled], 'not in the other mode')
    t.strictSame(await people.of('live', 'other', dialled), [dialled], 'not on another channel')
  })

  test('links that overlap at the same time end as one person', async (t, { store, replica }) => {
    const other = (await replica?.()) ?? store
    const all = Array.from({ length: 12 }, (_, i) => `4930${i}`)
    const pairs = all.slice(1).map((name, i) => [all[i]!, name])
    await Promise.all(
      pairs.map((pair, i) => {
        const through = i % 2 === 0 ? store : other
        return through.write(() => identities(through).link(place, { names: pair }))
      })
    )
    // What one link saw of another that was under way at the same time may be half of it: the next word mends it.
    for (const pair of pairs) await store.write(() => identities(store).link(place, { names: pair }))
    t.equal((await identities(store).of('live', 'support', all[0]!)).length, all.length)
  })

  test('a contact is found, changed and deleted by any name of the person', async (t, { store }) => {
    const book = createBook(store)
    await book.upsert(of, dialled, { name: 'Ada', attributes: { city: 'Puebla' } })
    await store.write(() => identities(store).link(place, { names: [dialled, known] }))
    await store.write(() => identities(store).link(place, { names: [dialled, userId] }))
    for (const name of [dialled, known, userId])
      t.match(toContact((await book.get(of, name))!), { phone: dialled, userIds: [userId], name: 'Ada' }, name)
    const again = await book.upsert(of, known, { attributes: { plan: 'gold' } })
    t.equal(again.made, false)
    t.match(toContact((await book.change(of, userId, { name: 'Ada King' }))!), {
      name: 'Ada King',
      attributes: { city: 'Puebla', plan: 'gold' }
    })
    const listed = (await book.list(of, { conditions: [] }, { limit: 10 })).map(toContact)
    t.match(listed, [{ phone: dialled, userIds: [userId] }])
    t.equal(listed.length, 1)
    t.equal(await book.remove(of, known), true)
    t.equal(await book.get(of, dialled), undefined)
  })

  test('a contact without a number has none, and gets one when it becomes known', async (t, { store }) => {
    const book = createBook(store)
    const { row } = await book.upsert(of, userId, { name: 'Ada' })
    t.match(toContact(row), { phone: null, userIds: [userId], name: 'Ada' })
    await store.write(() => identities(store).link(place, { names: [known, userId] }))
    t.match(toContact((await book.get(of, known))!), { phone: known, userIds: [userId], name: 'Ada' })
    t.notOk('username' in toContact(row))
    await store.write(() => identities(store).link(place, { names: [userId], username: 'ada' }))
    await store.write(() => identities(store).link(place, { names: [known, userId] }))
    t.match(toContact((await book.get(of, known))!), { username: 'ada' }, 'and a name of its own')
  })

  test('a number that goes to somebody else takes nothing of its former person along', async (t, { store }) => {
    const { n1 } = numbers
    const [adam, dora] = ['DE.ADAM1', 'DE.DORA1']
    const book = createBook(store)
    const names = (name: string) => identities(store).of('live', 'support', name)
    await writes(store, n1, adam, 'Adam: mine')
    await put(store, message({ contact: n1, state: 'read', content: '{"body":"to Adam"}', created_at: clock + 1 }))
    const waits = await put(store, message({ contact: n1, content: '{"body":"waits"}', created_at: clock + 2 }))
    await book.upsert(of, n1, { name: 'Adam', attributes: { iban: 'DE1' } })
    const entries = createEntries(store, createSuppressed(store, 'pepper'))
    for (const [source, category] of [
      ['word', 'all'],
      ['api', 'marketing']
    ] as const)
      await store.write(() =>
        entries.add({ mode: 'live', channel_id: 'support', category, source, identity: n1, saidAt: clock })
      )
    const stops = async (name: string) => {
      const found = await entries.namesOf('live', name)
      const query = store.build.selectFrom('suppressions').select('category').where('name', 'in', found)
      return (await store.read(query.orderBy('category').distinct().compile())).map(({ category }) => category)
    }
    t.strictSame(await stops(n1), ['all', 'marketing'], 'CONTROL')
    const at = await writes(store, n1, dora, 'Dora: mine')
    t.strictSame((await names(n1)).sort(), [n1, dora])
    t.strictSame(await words(store, await names(dora)), ['waits', 'Dora: mine'], 'what waits goes to the number')
    t.strictSame(await words(store, await names(adam)), ['Adam: mine', 'to Adam'])
    t.match(toContact((await book.get(of, adam))!), { name: 'Adam', phone: null })
    t.equal(await book.get(of, n1), undefined)
    t.strictSame(await stops(adam), ['all', 'marketing'], 'who said stop')
    t.strictSame(await stops(dora), ['marketing'], 'what a caller keeps for the number')
    await writes(store, n1, adam, 'Adam: late', at - 10_000)
    t.strictSame((await names(n1)).sort(), [n1, dora], 'an older word takes it from nobody')
    t.strictSame(await words(store, await names(adam)), ['Adam: late', 'Adam: mine', 'to Adam'])
    t.equal((await get(store, waits.id)).user_id, null)
  })

  test('a change of number onto one that is somebody else’s makes nobody one', async (t, { store }) => {
    const { n1, n2 } = numbers
    const names = async (name: string) => (await identities(store).of('live', 'support', name)).sort()
    await writes(store, n2, 'DE.CAROL', 'Carol: mine')
    await writes(store, n1, 'DE.ADAM', 'Adam: mine')
    await createBook(store).upsert(of, n1, { name: 'Adam' })
    await moves(store, { phone: n1 }, { phone: n2, userId: 'DE.ADAM2' })
    t.strictSame(await names('DE.CAROL'), ['DE.CAROL'])
    t.strictSame(await names(n2), [n1, n2, 'DE.ADAM', 'DE.ADAM2'])
    t.strictSame(await words(store, await names(n2)), ['Adam: mine'])
    t.strictSame(await words(store, ['DE.CAROL']), ['Carol: mine'])
    t.match(
      toContact((await createBook(store).get(of, 'DE.ADAM2'))!),
      { name: 'Adam', phone: n2 },
      'under the new number'
    )
  })

  test('a change of number that is told late does not take the old number back', async (t, { store }) => {
    const { n1, n2 } = numbers
    const names = async (name: string) => (await identities(store).of('live', 'support', name)).sort()
    await writes(store, n1, 'DE.ADAM', 'Adam: mine')
    const moved = (clock += 1000)
    await writes(store, n1, 'DE.DORA', 'Dora: mine')
    await moves(store, { phone: n1 }, { phone: n2, userId: 'DE.ADAM2' }, moved)
    t.strictSame(await names(n1), [n1, 'DE.DORA'])
    t.strictSame(await names(n2), [n2, 'DE.ADAM', 'DE.ADAM2'], 'who had the number then is known by what was written')
    const late = { ...wrote(fresh(), { content: { body: 'Adam: late' } }, { phone: n1 }), at: moved - 500 }
    await apply(store, late, { ...place_, receivedAt: clock + 60_000 })
    t.strictSame(await words(store, [n1, 'DE.DORA']), ['Dora: mine'])
    t.strictSame(await words(store, await names(n2)), ['Adam: mine', 'Adam: late'])
  })

  test('a name is found however it was typed', async (t, { store }) => {
    const book = createBook(store)
    const people: [string, string][] = [
      ['1000001', 'Jos\u00e9 L\u00f3pez'],
      ['1000002', 'Jose\u0301 Pe\u0301rez'],
      ['1000003', 'Stra\u00dfe'],
      ['1000004', '\u03a3\u0391\u03a3'],
      ['1000005', '\uff21\uff44\uff41'],
      ['1000006', 'Jose']
    ]
    for (const [phone, name] of people)
      await book.upsert(of, phone, { name, attributes: { nombre: name, 'cit\u00e9': name } })
    const found = async (name: string) =>
      (await book.list(of, { name, conditions: [] }, { limit: 10 })).map(({ phone }) => phone).sort()
    for (const typed of ['jos\u00e9', 'jose\u0301', 'JOS\u00c9', 'JOSE\u0301'])
      t.strictSame(await found(typed), ['1000001', '1000002'], JSON.stringify(typed))
    for (const typed of ['strasse', 'STRASSE', 'STRA\u1e9eE', 'stra\u00dfe'])
      t.strictSame(await found(typed), ['1000003'], typed)
    for (const typed of ['\u03c3\u03b1\u03c2', '\u03c3\u03b1\u03c3', '\u03a3\u03b1\u03c2'])
      t.strictSame(await found(typed), ['1000004'], typed)
    t.strictSame(await found('ada'), ['1000005'])
    const having = async (operator: 'equals' | 'contains', attribute: string, value: string) =>
      (await book.list(of, { conditions: [{ attribute, operator, value }] }, { limit: 10 })).map(({ phone }) => phone)
    for (const attribute of ['nombre', 'cit\u00e9', 'cite\u0301']) {
      t.strictSame(await having('equals', attribute, 'Jose\u0301 L\u00f3pez'.normalize('NFD')), ['1000001'], attribute)
      t.strictSame(await having('equals', attribute, 'Jos\u00e9 P\u00e9rez'), ['1000002'], attribute)
      t.strictSame(await having('contains', attribute, 'P\u00c9REZ'), ['1000002'], attribute)
    }
  })
}
