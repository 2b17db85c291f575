import { Type } from '@sinclair/typebox'
import type { Act, Call } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { badField, badRequest, checkChannel, failure, pathRecipient, recipientOf } from './answers.ts'
import { page } from './paging.ts'
import { type Contact, type CustomParam, watiDay } from './seed-contacts.ts'

const strict = { additionalProperties: false }

const Params = Type.Array(Type.Object({ name: Type.String({ minLength: 1 }), value: Type.String() }, strict))

const readContact = checker(
  Type.Object(
    {
      name: Type.Optional(Type.String({ minLength: 1 })),
      customParams: Type.Optional(Params)
    },
    strict
  )
)

const readAttributes = checker(Type.Object({ customParams: Params }, strict))

const readFilter = checker(
  Type.Array(
    Type.Object(
      {
        name: Type.String(),
        operator: Type.String(),
        value: Type.Optional(Type.String())
      },
      strict
    )
  )
)

/** A condition may name the number itself, as WATI's own list of attributes does (unconfirmed). */
const attribute = (contact: Contact, name: string): string | undefined =>
  contact.customParams.find(param => param.name === name)?.value ??
  (name === 'phone' ? (contact.phone ?? undefined) : name === 'bsuid' ? contact.bsuid : undefined)

type Test = (has: string | undefined, wanted: string, contact: Contact) => boolean

/** The eight operators; the negative ones hold where the attribute is missing, the last two judge the number itself. */
const OPERATORS: Record<string, { needsValue: boolean; test: Test }> = {
  contain: { needsValue: true, test: (has, wanted) => has?.toLowerCase().includes(wanted.toLowerCase()) === true },
  notContain: { needsValue: true, test: (has, wanted) => has?.toLowerCase().includes(wanted.toLowerCase()) !== true },
  exist: { needsValue: false, test: has => has !== undefined },
  notExist: { needsValue: false, test: has => has === undefined },
  '==': { needsValue: true, test: (has, wanted) => has === wanted },
  '!=': { needsValue: true, test: (has, wanted) => has !== wanted },
  valid: { needsValue: false, test: (_has, _wanted, contact) => contact.contactStatus === 'VALID' },
  invalid: { needsValue: false, test: (_has, _wanted, contact) => contact.contactStatus !== 'VALID' }
}

/** `attribute` is a JSON array in a string (docs/upstream.md 3.4.1). */
function attributeTest(text: string): (contact: Contact) => boolean {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw badRequest('attribute is not JSON')
  }
  const filter = readFilter(parsed)
  if (isMistake(filter)) throw badRequest(`attribute ${filter.path} ${filter.text}`)
  const tests = filter.map(({ name, operator, value }) => {
    const known = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined
    if (known === undefined) throw badRequest(`attribute has an unknown operator ${operator}`)
    if (known.needsValue && value === undefined) throw badRequest(`attribute operator ${operator} needs a value`)
    return (contact: Contact) => known.test(attribute(contact, name), value ?? '', contact)
  })
  return contact => tests.every(test => test(contact))
}

/** Both forms of a day that WATI takes (docs/upstream.md 6, row 12), as it writes it itself. */
function readDay(text: string): string {
  const iso = /^\d{4}-\d{2}-\d{2}$/.test(text) ? text : text.replace(/^(\d{2}-\d{2})-(\d{4})$/, '$2-$1')
  const date = new Date(`${iso}T00:00:00Z`)
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== iso)
    throw badRequest('createdDate is not a day')
  return watiDay(date)
}

/** Row 5. */
export function getContacts(call: Call): Act {
  const { name, attribute, createdDate } = call.query
  const wanted = name?.toLowerCase()
  const day = createdDate === undefined ? undefined : readDay(createdDate)
  const holds = attribute === undefined ? () => true : attributeTest(attribute)
  const { items, link } = page(
    call,
    call.state.contacts
      .all()
      .filter(
        contact =>
          (wanted === undefined || contact.fullName.toLowerCase().includes(wanted)) &&
          (day === undefined || contact.created === day) &&
          holds(contact)
      )
  )
  return () => ({ status: 200, body: { result: 'success', contact_list: items, link } })
}

function merge(contact: Contact, params: CustomParam[]): CustomParam[] {
  const merged = new Map([...contact.customParams, ...params].map(({ name, value }) => [name, value]))
  return [...merged].map(([name, value]) => ({ name, value }))
}

/** Row 6: an upsert, as far as anyone knows (docs/upstream.md 3.4.2). */
export function addContact(call: Call): Act {
  const phone = pathRecipient(call)
  const body = readContact(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw badField(body)
  return () => {
    const { contacts } = call.state
    const old = contacts.make(phone, body.name, [])
    const contact = {
      ...old,
      fullName: body.name ?? old.fullName,
      firstName: body.name?.split(' ')[0] ?? old.firstName,
      source: call.query.sourceType ?? 'Wati',
      customParams: merge(old, body.customParams ?? []),
      lastUpdated: new Date().toISOString()
    }
    contacts.keep(contact)
    return { status: 200, body: { result: true, contact } }
  }
}

/** Row 7: names that are not listed stay as they are. */
export function updateContactAttributes(call: Call): Act {
  const phone = pathRecipient(call)
  const body = readAttributes(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw badField(body)
  return () => {
    const contact = call.state.contacts.byPhone(phone)
    if (contact === undefined) {
      call.entry.refused = 'unknown contact'
      return failure(call, 'Contact not found')
    }
    const lastUpdated = new Date().toISOString()
    call.state.contacts.keep({ ...contact, lastUpdated, customParams: merge(contact, body.customParams) })
    return { status: 200, body: { result: true } }
  }
}

/** The one address that is no operator of the account. */
const NOBODY = 'nobody@example.com'

/** Row 19: everything is in the query, and no email means the bot (docs/upstream.md 3.4.14). */
export function assignOperator(call: Call): Act {
  recipientOf(call)
  const { email, channelPhoneNumber } = call.query
  checkChannel(channelPhoneNumber, 'channelPhoneNumber')
  if (email !== undefined && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) throw badRequest('email is not an address')
  return () => {
    if (email !== NOBODY) return { status: 200, body: { result: true } }
    call.entry.refused = 'unknown operator'
    return failure(call, 'Operator not found')
  }
}
