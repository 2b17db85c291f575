import type { Contact, ContactCondition, ContactOperator } from '../../../schemas/contacts.ts'
import { identified, isUserId } from '../../phone.ts'
import type { NativeRequest, Operations } from '../adapter.ts'
import { array, type Json, record, string } from './decode.ts'
import { pageAt, placeOf, turn } from './paging.ts'

// WATI's contacts: docs/upstream.md 3.4.1 to 3.4.3, and the object in 3.6.

/** Our operators in WATI's words; null: it takes no value. */
const operators: Readonly<Record<ContactOperator, { word: string; value: boolean }>> = {
  contains: { word: 'contain', value: true },
  not_contains: { word: 'notContain', value: true },
  exists: { word: 'exist', value: false },
  not_exists: { word: 'notExist', value: false },
  equals: { word: '==', value: true },
  not_equals: { word: '!=', value: true },
  valid: { word: 'valid', value: false },
  invalid: { word: 'invalid', value: false }
}

const attributeText = (conditions: readonly ContactCondition[]): string =>
  JSON.stringify(
    conditions.map(({ attribute, operator, value }) => ({
      name: attribute,
      operator: operators[operator].word,
      ...(operators[operator].value && { value: value ?? '' })
    }))
  )

const listRequest = (query: NonNullable<NativeRequest['query']>): NativeRequest => ({
  method: 'GET',
  path: ['api', 'v1', 'getContacts'],
  query
})

/** One page of getContacts, and how its answer is read. */
export function contactsPage({ name, createdOn, conditions, limit, cursor }: Operations['listContacts']['input']) {
  const place = placeOf(cursor)
  const page = pageAt(place, limit)
  return {
    request: listRequest({
      ...page,
      name,
      createdDate: createdOn,
      attribute: conditions.length > 0 ? attributeText(conditions) : undefined
    }),
    read: (body: Json, channel: string): Operations['listContacts']['output'] => {
      const rows = array(body.contact_list)
      const { skip, next } = turn(place, page, rows, body.link)
      return { items: rows.slice(skip).flatMap(row => contact(row, channel) ?? []), nextCursor: next }
    }
  }
}

/** WATI has no call for one contact: its list, narrowed to the number (docs/api.md 6); for a user id under WATI's own word. */
export const oneRequest = (person: string): NativeRequest =>
  listRequest({
    pageSize: 100,
    pageNumber: 1,
    attribute: attributeText([{ attribute: isUserId(person) ? 'bsuid' : 'phone', operator: 'equals', value: person }])
  })

/** The contact of exactly this number or user id in a list; the filter alone is no proof. */
export function theOne(body: Json, person: string, channel: string): Contact | null {
  const row = array(body.contact_list).find(each => {
    const { phone, userId } = identityOf(record(each))
    return phone === person || userId === person
  })
  return contact(row, channel) ?? null
}

const params = (attributes: Record<string, string>) =>
  Object.entries(attributes).map(([name, value]) => ({ name, value }))

export const upsertRequest = ({ phone, name, attributes }: Operations['upsertContact']['input']): NativeRequest => ({
  method: 'POST',
  path: ['api', 'v1', 'addContact', phone],
  body: {
    json: {
      ...(name !== undefined && { name }),
      ...(attributes && Object.keys(attributes).length > 0 && { customParams: params(attributes) })
    }
  }
})

export const attributesRequest = ({
  phone,
  attributes
}: Operations['updateContactAttributes']['input']): NativeRequest => ({
  method: 'POST',
  path: ['api', 'v1', 'updateContactAttributes', phone],
  body: { json: { customParams: params(attributes) } }
})

/** What WATI calls a person by: `wAid` holds a user id where no number is shared. */
const identityOf = (item: Json) => identified(item.wAid, item.waId, item.phone, item.bsuid)

/** One contact in our words; undefined where nothing says who it is. */
export function contact(value: unknown, channel: string): Contact | undefined {
  const item = record(value)
  const { phone, userId } = identityOf(item)
  if (phone === undefined && userId === undefined) return undefined
  const username = string(item.username)?.trim().replace(/^@/, '')
  const name = string(item.fullName) ?? string(item.firstName)
  const providerContactId = string(item.id)
  return {
    channel,
    phone: phone ?? null,
    userIds: userId === undefined ? [] : [userId],
    ...(username && { username }),
    // WATI shows the number where a contact has no name
    name: name === undefined || name === phone || name === userId ? null : name,
    attributes: attributesOf(item.customParams),
    status: string(item.contactStatus)?.toLowerCase() ?? 'unknown',
    ...(typeof item.optedIn === 'boolean' && { optedIn: item.optedIn }),
    createdAt: instant(item.created),
    updatedAt: instant(item.lastUpdated),
    source: 'provider',
    ...(providerContactId && { providerContactId })
  }
}

const attributesOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    array(value)
      .map(record)
      .flatMap(param => (string(param.name) ? [[string(param.name)!, String(param.value ?? '')]] : []))
  )

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** `May-14-2024` (3.6), or an ISO instant, which is in UTC even where it does not say so. */
export function instant(value: unknown): string | null {
  const text = string(value) ?? ''
  const [, month = '', day, year] = /^([A-Za-z]{3})[a-z]*-(\d{1,2})-(\d{4})$/.exec(text) ?? []
  const iso = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})?$/.exec(text)
  const index = months.indexOf(month.toLowerCase())
  const at = iso
    ? Date.parse(iso[1] === undefined ? `${text}Z` : text)
    : index < 0
      ? Number.NaN
      : Date.UTC(Number(year), index, Number(day))
  return Number.isNaN(at) ? null : new Date(at).toISOString()
}
