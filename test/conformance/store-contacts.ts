import type { ContactCondition, ContactOperator } from '../../schemas/contacts.ts'
import { contactOperators } from '../../schemas/contacts.ts'
import { type BookFilter, createBook, toContact } from '../../src/contacts/book.ts'
import { pageRequest, toPage } from '../../src/store/page.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'

const of = { channel: 'support', mode: 'live' } as const

interface Person {
  phone: string
  name: string | null
  attributes: Record<string, string>
  status: string
}

/** The plain model: what a list is to hold, without any database. */
const lower = (text: string) => text.toLowerCase()
const tests: Record<ContactOperator, (has: string | undefined, wanted: string, person: Person) => boolean> = {
  contains: (has, wanted) => has !== undefined && lower(has).includes(lower(wanted)),
  not_contains: (has, wanted) => has === undefined || !lower(has).includes(lower(wanted)),
  exists: has => has !== undefined,
  not_exists: has => has === undefined,
  equals: (has, wanted) => has === wanted,
  not_equals: (has, wanted) => has !== wanted,
  valid: (_has, _wanted, { status }) => status === 'valid',
  invalid: (_has, _wanted, { status }) => status !== 'valid'
}
const fits = (person: Person, { name, conditions }: BookFilter): boolean =>
  (name === undefined || (person.name !== null && lower(person.name).includes(lower(name)))) &&
  conditions.every(({ attribute, operator, value = '' }) =>
    tests[operator](person.attributes[attribute], value, person)
  )

const words = [
  'London',
  'london',
  'LON',
  '',
  'Köln',
  'KÖLN',
  '北京',
  '%',
  '_',
  "O'Hara",
  '\\',
  'Straße',
  'ΣΑΣ',
  '50%',
  '😀'
]
const names = [null, 'Ada Lovelace', 'ADA', 'Émilie', 'émilie', 'Jörg', '李雷', '100% sure', 'a_b', 'İstanbul']
const keys = ['city', 'City', 'plan', 'näme', '北']

/** Numbers that look random and are the same in each run. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function people(store: Store, count: number): Promise<Person[]> {
  const book = createBook(store)
  const roll = dice(7)
  const made: Person[] = []
  for (let i = 0; i < count; i++) {
    const phone = `1415555${String(1000 + i)}`
    const name = names[roll(names.length)]!
    const attributes: Record<string, string> = {}
    for (const key of keys) if (roll(2) === 0) attributes[key] = words[roll(words.length)]!
    await book.upsert(of, phone, { ...(name !== null && { name }), attributes })
    const status = roll(4) === 0 ? 'invalid' : 'valid'
    await store.write(function* () {
      yield store.build.updateTable('contacts').set({ status }).where('phone', '=', phone).compile()
    })
    made.push({ phone, name, attributes, status })
  }
  return made.reverse()
}

/** What our own address book does, held against a plain model. */
export function contactCases(test: Case): void {
  test('every operator with every value finds what a plain model finds, alone and together', async (t, { store }) => {
    const all = await people(store, 60)
    const book = createBook(store)
    const found = async (filter: BookFilter) => (await book.list(of, filter, { limit: 100 })).map(({ phone }) => phone)
    const wanted = (filter: BookFilter) => all.filter(person => fits(person, filter)).map(({ phone }) => phone)
    const same = async (filter: BookFilter) => {
      const [got, model] = [await found(filter), wanted(filter)]
      if (JSON.stringify(got) !== JSON.stringify(model)) t.strictSame(got, model, JSON.stringify(filter))
      return model.length
    }
    let hits = 0
    for (const operator of contactOperators)
      for (const attribute of [...keys, 'nowhere'])
        for (const value of words) hits += await same({ conditions: [{ attribute, operator, value }] })
    for (const name of ['ada', 'ÉMI', 'JÖRG', '%', '_', '雷', 'i̇', 'nobody'])
      hits += await same({ name, conditions: [] })
    const roll = dice(11)
    const condition = (): ContactCondition => ({
      attribute: keys[roll(keys.length)]!,
      operator: contactOperators[roll(contactOperators.length)]!,
      value: words[roll(words.length)]!
    })
    for (let i = 0; i < 100; i++) hits += await same({ conditions: [condition(), condition()] })
    t.ok(hits > 1000, `CONTROL: filters that find something (${hits})`)
  })

  test('pages of 7 over 23 contacts reach each exactly once, newest first, inserts in between or not', async (t, {
    store
  }) => {
    const all = await people(store, 23)
    const book = createBook(store)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = pageRequest({ limit: 7, ...(cursor && { cursor }) })
      const { items, nextCursor } = toPage(await book.list(of, { conditions: [] }, page), 7)
      seen.push(...items.map(({ phone }) => phone))
      await book.upsert(of, `4930${seen.length}0000`, {})
      cursor = nextCursor ?? undefined
    } while (cursor)
    t.strictSame(
      seen,
      all.map(({ phone }) => phone)
    )
  })

  test('a day begins and ends at midnight UTC', async (t, { store }) => {
    const book = createBook(store)
    const at = [Date.UTC(2024, 4, 14) - 1, Date.UTC(2024, 4, 14), Date.UTC(2024, 4, 15) - 1, Date.UTC(2024, 4, 15)]
    for (const [i, created_at] of at.entries()) {
      await book.upsert(of, `1415555000${i}`, {})
      await store.write(function* () {
        yield store.build.updateTable('contacts').set({ created_at }).where('phone', '=', `1415555000${i}`).compile()
      })
    }
    const rows = await book.list(of, { createdOn: '2024-05-14', conditions: [] }, { limit: 10 })
    t.strictSame(
      rows.map(({ phone }) => phone),
      ['14155550002', '14155550001']
    )
  })

  test('an upsert makes once and changes after; attributes not named stay, and the search follows', async (t, {
    store
  }) => {
    const book = createBook(store)
    const first = await book.upsert(of, '14155551234', { name: 'Ada', attributes: { city: 'London', plan: 'gold' } })
    const again = await book.upsert(of, '14155551234', { attributes: { plan: 'silver', ['__proto__']: 'x' } })
    t.strictSame([first.made, again.made], [true, false])
    t.equal(again.row.id, first.row.id)
    const shown = toContact((await book.get(of, '14155551234'))!)
    t.strictSame(Object.entries(shown.attributes), [
      ['city', 'London'],
      ['plan', 'silver'],
      ['__proto__', 'x']
    ])
    t.equal(shown.name, 'Ada')
    const by = (value: string) =>
      book.list(of, { conditions: [{ attribute: 'plan', operator: 'equals', value }] }, { limit: 10 })
    t.equal((await by('gold')).length, 0)
    t.equal((await by('silver')).length, 1)
    const many = await Promise.all(Array.from({ length: 8 }, () => book.upsert(of, '4930901820', { name: 'Zuse' })))
    t.equal(many.filter(({ made }) => made).length, 1, 'eight at once make one')
  })

  test('books of other channels and of the other mode are other books', async (t, { store }) => {
    const book = createBook(store)
    await book.upsert(of, '14155551234', { name: 'Ada' })
    for (const other of [
      { ...of, channel: 'sales' },
      { ...of, mode: 'test' as const }
    ]) {
      t.equal(await book.get(other, '14155551234'), undefined)
      t.strictSame(await book.list(other, { conditions: [] }, { limit: 10 }), [])
      t.equal(await book.change(other, '14155551234', { name: 'x' }), undefined)
      t.equal(await book.remove(other, '14155551234'), false)
    }
    t.equal(await book.remove(of, '14155551234'), true)
    t.equal(await book.remove(of, '14155551234'), false)
    const { made } = await book.upsert(of, '14155551234', {})
    t.equal(made, true)
    t.strictSame(toContact((await book.get(of, '14155551234'))!).attributes, {}, 'nothing is left of the first')
  })
}
