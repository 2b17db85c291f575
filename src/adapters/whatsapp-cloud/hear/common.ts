import { identified, isUserId } from '../../../phone.ts'
import type { Person, Scope } from '../../heard.ts'
import { instantOf } from '../../heard-parts.ts'
import { array, graphId, record, string } from '../decode.ts'

// What every part of Meta's webhooks shares: scope, instants, people (docs/upstream.md 4.12, docs/webhooks.md C4).

export type Json = Record<string, unknown>

/** One change of one entry, with what stands around it. */
export interface Change {
  field: string
  value: Json
  scope: Scope
  /** When the entry was made, in milliseconds. */
  at?: number
  /** People that the change describes, by number and by user id. */
  people: ReadonlyMap<string, Person>
  /** The one person that it describes as a writer; undefined where it describes nobody or several. */
  alone?: Person
  /** Everything that was written in it is by one person, as far as its messages name anybody. */
  oneWriter: boolean
}

/** An object of the members that are there. */
export const some = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/** Seconds as text or number, or milliseconds, as both were seen (docs/webhooks.md E); undefined where it is no instant. */
export function instant(value: unknown): number | undefined {
  const told = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return instantOf(told)
}

export const digits = (value: unknown): string | undefined =>
  string(typeof value === 'number' ? String(value) : value)?.replace(/\D/g, '') || undefined

const usernameOf = (value: unknown): string | undefined => string(value)?.trim().replace(/^@/, '') || undefined

/** One of `contacts[]`. */
export function personOf(value: unknown): Person {
  const contact = record(value)
  const profile = record(contact.profile)
  const parent = string(contact.parent_user_id)?.trim()
  const username = usernameOf(profile.username ?? contact.username)
  const name = string(profile.name)
  return {
    ...identified(contact.wa_id, contact.user_id),
    ...(parent !== undefined && isUserId(parent) && { parentUserId: parent }),
    ...(username !== undefined && { username }),
    ...(name !== undefined && { name: name.slice(0, 256) })
  }
}

/** People by each of their identifiers. */
export function peopleOf(contacts: unknown): ReadonlyMap<string, Person> {
  const people = new Map<string, Person>()
  for (const contact of array(contacts)) {
    const person = personOf(contact)
    for (const key of [person.phone, person.userId]) if (key !== undefined) people.set(key, person)
  }
  return people
}

/** The only one of these people who may have written something: those whom a status names as its recipient are not. */
export function aloneIn(people: ReadonlyMap<string, Person>, statuses: unknown): Person | undefined {
  const recipients = new Set(
    array(statuses).flatMap(item => {
      const { recipient_id, recipient_user_id } = record(item)
      const { phone, userId } = identified(recipient_id, recipient_user_id)
      return [people.get(phone ?? ''), people.get(userId ?? '')]
    })
  )
  const [person, ...others] = new Set([...people.values()].filter(each => !recipients.has(each)))
  return others.length === 0 ? person : undefined
}

/** Whether all of `messages[]` name the same writer. */
export const writtenByOne = (messages: unknown): boolean =>
  new Set(array(messages).map(each => `${graphId(record(each).from)} ${graphId(record(each).from_user_id)}`)).size < 2

/** The person of these identifiers, with everything that `contacts[]` tells of it. */
export function someone({ people }: Change, ...identifiers: unknown[]): Person {
  const told = identified(...identifiers)
  const known = (told.phone && people.get(told.phone)) || (told.userId && people.get(told.userId)) || undefined
  return { ...known, ...told }
}

/** The person of these identifiers; where there are none, the one person that the change describes. */
export function someoneOrAlone(change: Change, ...identifiers: unknown[]): Person {
  const named = someone(change, ...identifiers)
  return named.phone === undefined && named.userId === undefined ? (change.alone ?? named) : named
}

/**
 * What a change is about. Meta names the number in `metadata`, of a handover in `recipient`, of settings in these; the account is
 * the entry's, but for news about a partner, whose own id that is.
 */
export function scopeOf(entryId: unknown, value: Json): Scope {
  const places = [value.metadata, value.recipient, value.phone_number_settings, value].map(record)
  const numberId = places.map(place => graphId(place.phone_number_id)).find(Boolean)
  const accountId = graphId(record(value.waba_info).waba_id) ?? graphId(entryId)
  const phone = places.map(place => digits(place.display_phone_number)).find(Boolean)
  return {
    ...(numberId !== undefined && { numberId }),
    ...(accountId !== undefined && { accountId }),
    ...(phone !== undefined && { phone })
  }
}
