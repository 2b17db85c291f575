import { createBook, toContact } from '../../src/contacts/book.ts'
import { identities } from '../../src/messages/identities.ts'
import type { Case } from './store.ts'

const of = { channel: 'support', mode: 'live' } as const
const place = { channel_id: 'support', mode: 'live' } as const
const dialled = '525512345678'
const known = '5215512345678'
const userId = 'MX.13491208655302741918'

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
