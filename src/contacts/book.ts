import { type SqlBool, sql } from 'kysely'
import { type Contact, type ContactCondition, comparing } from '../../schemas/contacts.ts'
import { newId } from '../ids.ts'
import { identities, type KnownAs } from '../messages/identities.ts'
import { isUserId } from '../phone.ts'
import type { PageRequest } from '../store/page.ts'
import type { ContactRow } from '../store/schema.ts'
import { change, prepare, type Store, storable, type Unit } from '../store/store.ts'

// Our own address book, for channels whose provider keeps none. It belongs to the channel, whatever the service.

/** Whose book: live and test never meet. */
export interface BookOf {
  channel: string
  mode: 'live' | 'test'
}
export interface BookFilter {
  name?: string
  /** A day, UTC. */
  createdOn?: string
  conditions: readonly ContactCondition[]
}
export interface ContactChange {
  name?: string
  attributes?: Record<string, string>
}

export interface Book {
  /** One row more than asked for, if there is one; newest first. */
  list: (of: BookOf, filter: BookFilter, page: PageRequest) => Promise<Known[]>
  /** Found by any name of the person, as in all that follows. */
  get: (of: BookOf, person: string) => Promise<Known | undefined>
  /** Makes or changes; `made` tells which. */
  upsert: (of: BookOf, person: string, input: ContactChange) => Promise<{ row: Known; made: boolean }>
  /** Makes or changes several contacts in one commit, by number; tells of each whether it was made. */
  upsertAll: (of: BookOf, inputs: readonly (ContactChange & { phone: string })[]) => Promise<boolean[]>
  /** Every name of a person, the one that is asked for first. */
  namesOf: (of: BookOf, person: string) => Promise<string[]>
  /** The names of all attributes that somebody has, in order. */
  attributes: (of: BookOf) => Promise<string[]>
  /** Changes one that is there; undefined if it is not. */
  change: (of: BookOf, person: string, input: ContactChange) => Promise<Known | undefined>
  remove: (of: BookOf, person: string) => Promise<boolean>
}

/** A contact, and every name of the person that WhatsApp is known to use. */
export type Known = ContactRow & KnownAs

/**
 * Text as it is compared without regard to case, to how its accents were typed, or to the width of its letters. SQLite
 * folds ASCII alone and PostgreSQL by its locale: so it is done here. Through capitals and back, since only so ß is ss.
 */
export const fold = (text: string): string =>
  text.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC')

const day = 24 * 3600_000
/** What a contact is until somebody says otherwise. */
const newStatus = 'valid'

export const toContact = ({ names, username, ...row }: Known): Contact => ({
  channel: row.channel_id,
  phone: isUserId(row.phone) ? (names.find(name => !isUserId(name)) ?? null) : row.phone,
  userIds: names.filter(isUserId),
  ...(username !== undefined && { username }),
  name: row.name,
  attributes: Object.fromEntries(JSON.parse(row.attributes) as [string, string][]),
  status: row.status,
  createdAt: new Date(row.created_at).toISOString(),
  updatedAt: new Date(row.updated_at).toISOString(),
  source: 'switchboard'
})

/** As the database will hold it, so that what is searched and what is shown are the same. */
const kept = (text: string): string => storable(text) as string
/** The forms in which one and the same text may have been kept. */
const formsOf = (text: string): string[] => [...new Set([text, text.normalize('NFC'), text.normalize('NFD')])]

export function createBook(store: Store): Book {
  const { build } = store
  /** Whether a text holds a part, byte for byte. */
  const holds = (text: 'name_folded' | 'folded', part: string) =>
    store.dialect === 'postgres'
      ? sql<SqlBool>`strpos(${sql.ref(text)}, ${part}) > 0`
      : sql<SqlBool>`instr(${sql.ref(text)}, ${part}) > 0`
  const people = identities(store)
  /** Where several rows are one person's, because it became known only afterwards: the first that was made. */
  const one = (of: BookOf, person: string) =>
    build
      .selectFrom('contacts')
      .selectAll()
      .where('channel_id', '=', of.channel)
      .where('mode', '=', of.mode)
      .where(eb => eb.or([eb('phone', '=', person), eb('phone', 'in', people.namesOf(of.mode, of.channel, person))]))
      .orderBy('id')
      .limit(1)
  const known = async (of: BookOf, rows: readonly ContactRow[]): Promise<Known[]> => {
    const found = await people.ofMany(
      of.mode,
      of.channel,
      rows.map(row => row.phone)
    )
    return rows.map(row => ({ ...row, ...(found.get(row.phone) ?? { names: [row.phone] }) }))
  }
  const knownOne = async (of: BookOf, row: ContactRow): Promise<Known> => (await known(of, [row]))[0]!

  const list: Book['list'] = async (of, { name, createdOn, conditions }, page) => {
    let query = build
      .selectFrom('contacts')
      .selectAll()
      .where('channel_id', '=', of.channel)
      .where('mode', '=', of.mode)
      .orderBy('id', 'desc')
      .limit(page.limit + 1)
    if (page.after) query = query.where('id', '<', page.after)
    if (name !== undefined) query = query.where(holds('name_folded', fold(kept(name))))
    if (createdOn !== undefined) {
      const from = Date.parse(`${createdOn}T00:00:00Z`)
      query = query.where('created_at', '>=', from).where('created_at', '<', from + day)
    }
    for (const { attribute, operator, value = '' } of conditions) {
      if (operator === 'valid') query = query.where('status', '=', newStatus)
      else if (operator === 'invalid') query = query.where('status', '!=', newStatus)
      else {
        // The not_… ones are the very opposite: true where the attribute is missing, too.
        const positive = operator.replace(/^not_/, '')
        query = query.where(eb => {
          let found = eb
            .selectFrom('contact_attributes')
            .select('contact_id')
            .whereRef('contact_id', '=', 'contacts.id')
            .where('name', 'in', formsOf(kept(attribute)))
          if (positive === 'equals') found = found.where('value', 'in', formsOf(kept(value)))
          if (positive === 'contains') found = found.where(holds('folded', fold(kept(value))))
          return positive === operator ? eb.exists(found) : eb.not(eb.exists(found))
        })
      }
    }
    return known(of, await store.read(query.compile()))
  }

  const putAttribute = prepare<{ contact: string; name: string; value: string; folded: string }, unknown>(p =>
    build
      .insertInto('contact_attributes')
      .values({ contact_id: p.contact, name: p.name, value: p.value, folded: p.folded })
      .onConflict(conflict =>
        conflict.columns(['contact_id', 'name']).doUpdateSet({ value: p.value, folded: p.folded })
      )
  )
  function* put(row: ContactRow, input: ContactChange): Unit<ContactRow> {
    const now = store.clock()
    const attributes = new Map(JSON.parse(row.attributes) as [string, string][])
    const changed = new Map<string, string>()
    for (const [name, value] of Object.entries(input.attributes ?? {}))
      if (attributes.get(kept(name)) !== kept(value)) changed.set(kept(name), kept(value))
    for (const [name, value] of changed) attributes.set(name, value)
    const name = input.name === undefined ? row.name : kept(input.name)
    const next: ContactRow = {
      ...row,
      name,
      name_folded: name === null ? null : fold(name),
      attributes: JSON.stringify([...attributes]),
      updated_at: now
    }
    const { id, ...values } = next
    yield build.updateTable('contacts').set(values).where('id', '=', id).compile()
    for (const [name, value] of changed) yield putAttribute({ contact: id, name, value, folded: fold(value) })
    return next
  }
  const lookUp = prepare<BookOf & { person: string }, ContactRow>(p => {
    const query = one({ channel: p.channel, mode: p.mode }, p.person)
    return store.dialect === 'postgres' ? query.forUpdate() : query
  })
  /** The row, locked where others could change it meanwhile. */
  function* held(of: BookOf, person: string): Unit<ContactRow | undefined> {
    const { rows } = yield lookUp({ channel: of.channel, mode: of.mode, person })
    return rows[0]
  }

  function* enter(of: BookOf, person: string, input: ContactChange): Unit<{ row: ContactRow; made: boolean }> {
    const now = store.clock()
    const there = yield* held(of, person)
    if (there) return { row: yield* put(there, input), made: false }
    const fresh: ContactRow = {
      id: newId('con', now),
      mode: of.mode,
      channel_id: of.channel,
      phone: person,
      name: null,
      name_folded: null,
      attributes: '[]',
      status: newStatus,
      created_at: now,
      updated_at: now
    }
    const made = yield* change(
      build
        .insertInto('contacts')
        .values(fresh)
        .onConflict(conflict => conflict.columns(['channel_id', 'mode', 'phone']).doNothing())
    )
    const row = (yield* held(of, person)) ?? fresh
    return { row: yield* put(row, input), made: made > 0 }
  }

  return {
    list,
    get: async (of, person) => {
      const [row] = await store.read(one(of, person).compile())
      return row && knownOne(of, row)
    },
    upsert: async (of, person, input) => {
      const { row, made } = await store.write(() => enter(of, person, input))
      return { row: await knownOne(of, row), made }
    },
    upsertAll: (of, inputs) =>
      store.write(function* () {
        const made: boolean[] = []
        // In one order everywhere: two imports at once must not wait for each other.
        for (const { phone, ...input } of inputs.toSorted((a, b) => (a.phone < b.phone ? -1 : 1)))
          made.push((yield* enter(of, phone, input)).made)
        return made
      }),
    namesOf: (of, person) => people.of(of.mode, of.channel, person),
    attributes: async of => {
      const query = build
        .selectFrom('contact_attributes')
        .innerJoin('contacts', 'contacts.id', 'contact_attributes.contact_id')
        .select('contact_attributes.name')
        .distinct()
        .where('channel_id', '=', of.channel)
        .where('mode', '=', of.mode)
        .orderBy('contact_attributes.name')
      return (await store.read(query.compile())).map(({ name }) => name)
    },
    change: async (of, person, input) => {
      const changed = await store.write(function* () {
        const row = yield* held(of, person)
        return row && (yield* put(row, input))
      })
      return changed && knownOne(of, changed)
    },
    remove: (of, person) =>
      store.write(function* () {
        const row = yield* held(of, person)
        if (!row) return false
        yield build.deleteFrom('contact_attributes').where('contact_id', '=', row.id).compile()
        yield build.deleteFrom('contacts').where('id', '=', row.id).compile()
        return true
      })
  }
}

/** Whether a condition lacks the value that its operator compares with. */
export const lacksValue = ({ operator, value }: ContactCondition): boolean =>
  comparing.has(operator) && value === undefined
