import { Ajv, type ValidateFunction } from 'ajv'
import {
  type Contact,
  type ContactCondition,
  ContactConditions,
  type ContactFilter,
  type CreateContact,
  contactOperators,
  type PatchContact
} from '../../schemas/contacts.ts'
import type { Channels } from '../channels/channels.ts'
import { ask } from '../dispatch/ask.ts'
import { fromCursor, toCursor } from '../dispatch/cursor.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { invalid, ServiceError } from '../errors.ts'
import { type Caller, requireRecipient } from '../keys/caller.ts'
import { isUserId, requirePerson } from '../phone.ts'
import { pageRequest, toPage } from '../store/page.ts'
import { type Book, type BookOf, lacksValue, toContact } from './book.ts'

export interface Contacts {
  list: (caller: Caller, query: ContactFilter) => Promise<{ items: Contact[]; nextCursor: string | null }>
  get: (caller: Caller, phone: string, channel: string | undefined) => Promise<Contact>
  /** `status` as the answer has it: 201 where it was made, or where the provider does not tell. */
  upsert: (caller: Caller, input: CreateContact) => Promise<{ contact: Contact; status: 200 | 201 }>
  patch: (caller: Caller, phone: string, channel: string | undefined, input: PatchContact) => Promise<Contact>
  remove: (caller: Caller, phone: string, channel: string | undefined) => Promise<void>
}

export interface ContactsParts {
  providerClient: ProviderClient
  channels: Channels
  book: Book
}

let compiledConditions: ValidateFunction | undefined
/** Compiled when the first filter is read. */
const conditionsCheck = (): ValidateFunction =>
  (compiledConditions ??= new Ajv({ allErrors: true }).compile(ContactConditions))

/** Reads the `filter` of a list: JSON in a query parameter. */
export function readConditions(text: string | undefined): ContactCondition[] {
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid('query/filter', 'must be a JSON array of { attribute, operator, value? }')
  }
  const check = conditionsCheck()
  if (check(value)) {
    const conditions = value as ContactCondition[]
    const at = conditions.findIndex(lacksValue)
    if (at >= 0) throw invalid(`query/filter/${at}/value`, `is required by ${conditions[at]!.operator}`)
    const broken = conditions.findIndex(({ attribute, value = '' }) => {
      const text = attribute + value
      return text.includes('\0') || !attribute.isWellFormed() || !value.isWellFormed()
    })
    if (broken >= 0) throw invalid(`query/filter/${broken}`, 'must not hold NUL or an unpaired surrogate')
    return conditions
  }
  const errors = (check.errors ?? []).map(({ instancePath, keyword, params, message }) => {
    const member = params.missingProperty ?? params.additionalProperty
    return {
      path: `query/filter${instancePath}${member === undefined ? '' : `/${member}`}`,
      message:
        keyword === 'enum'
          ? `must be one of ${contactOperators.join(', ')}`
          : keyword === 'additionalProperties'
            ? 'is not a field of a condition'
            : (message ?? 'is not valid')
    }
  })
  throw new ServiceError('invalid_request', errors.map(({ path, message }) => `${path} ${message}`).join('; '), {
    errors
  })
}

/** The provider's place behind a cursor of ours, and the way back. */
export const placeOf = (list: unknown, cursor: string | undefined): { cursor?: string } => {
  const place = cursor === undefined ? undefined : fromCursor(list, cursor).cursor
  return place === undefined ? {} : { cursor: place }
}
export const cursorOf = (list: unknown, limit: number, next: string | null): string | null =>
  next === null ? null : toCursor(list, { cursor: next, limit, skip: 0 })

/** Names that a provider is asked for one person by: each is a call of its limit. */
const mostNames = 3

const gone = (phone: string) =>
  new ServiceError('not_found', `There is no contact …${phone.slice(-4)} in this channel's contacts.`)

/** A provider's contacts where it keeps some, else our own address book: whoever asks cannot tell. */
export function createContacts({ providerClient, channels, book }: ContactsParts): Contacts {
  const keeps = (channel: DispatchChannel): boolean =>
    providerClient.adapter(channel.provider).operations.listContacts !== undefined
  const bookOf = ({ id, mode }: DispatchChannel): BookOf => ({ channel: id, mode })
  const enter = async (caller: Caller, phone: string, path: string, channelId: string | undefined) => {
    const person = requirePerson(phone, path)
    const channel = await channels.resolve(caller, channelId)
    return { person, channel }
  }
  /** What a provider's answer does not show of a contact that it has just taken. */
  const asked = (channel: DispatchChannel, person: string, { name, attributes }: PatchContact): Contact => ({
    channel: channel.id,
    ...(isUserId(person) ? { phone: null, userIds: [person] } : { phone: person, userIds: [] }),
    name: name ?? null,
    attributes: attributes ?? {},
    status: 'unknown',
    createdAt: null,
    updatedAt: null,
    source: 'provider'
  })
  const upsertThere = async (channel: DispatchChannel, phone: string, input: PatchContact): Promise<Contact> =>
    (await ask(providerClient, 'upsertContact', channel, { phone, ...input })) ?? asked(channel, phone, input)

  return {
    list: async (caller, { channel: id, name, createdOn, filter, limit = 25, cursor }) => {
      const conditions = readConditions(filter)
      const channel = await channels.resolve(caller, id)
      const wanted = { conditions, ...(name !== undefined && { name }), ...(createdOn !== undefined && { createdOn }) }
      if (keeps(channel)) {
        const list = ['contacts', channel.mode, channel.id, wanted]
        const page = await ask(providerClient, 'listContacts', channel, { ...wanted, limit, ...placeOf(list, cursor) })
        return { items: page.items, nextCursor: cursorOf(list, limit, page.nextCursor) }
      }
      const request = pageRequest({ limit, ...(cursor !== undefined && { cursor }) })
      const { items, nextCursor } = toPage(await book.list(bookOf(channel), wanted, request), limit)
      return { items: items.map(toContact), nextCursor }
    },

    get: async (caller, phone, id) => {
      const { person, channel } = await enter(caller, phone, 'path/phone', id)
      if (keeps(channel)) {
        // The provider may know the person by another name than the caller does.
        for (const name of (await book.namesOf(bookOf(channel), person)).slice(0, mostNames)) {
          const found = await ask(providerClient, 'getContact', channel, { phone: name })
          if (found) return found
        }
        throw gone(person)
      }
      const row = await book.get(bookOf(channel), person)
      if (!row) throw gone(person)
      return toContact(row)
    },

    upsert: async (caller, { channel: id, phone, ...input }) => {
      const { person, channel } = await enter(caller, phone, '/phone', id)
      requireRecipient(caller, person)
      if (keeps(channel)) return { contact: await upsertThere(channel, person, input), status: 201 }
      const { row, made } = await book.upsert(bookOf(channel), person, input)
      return { contact: toContact(row), status: made ? 201 : 200 }
    },

    patch: async (caller, phone, id, input) => {
      const { person, channel } = await enter(caller, phone, 'path/phone', id)
      requireRecipient(caller, person)
      const attributes = Object.keys(input.attributes ?? {}).length > 0 ? input.attributes : undefined
      if (!keeps(channel)) {
        // A name makes a contact that is not there, as it does at a provider.
        if (input.name !== undefined) return toContact((await book.upsert(bookOf(channel), person, input)).row)
        const row = await book.change(bookOf(channel), person, input)
        if (!row) throw gone(person)
        return toContact(row)
      }
      if (input.name !== undefined) return upsertThere(channel, person, input)
      if (attributes) await ask(providerClient, 'updateContactAttributes', channel, { phone: person, attributes })
      const found = await ask(providerClient, 'getContact', channel, { phone: person })
      if (found) return found
      if (!attributes) throw gone(person)
      return asked(channel, person, input)
    },

    remove: async (caller, phone, id) => {
      const { person, channel } = await enter(caller, phone, 'path/phone', id)
      requireRecipient(caller, person)
      if (keeps(channel))
        throw new ServiceError(
          'unsupported',
          `Channel ${channel.id} (${channel.provider}) keeps its own contacts and cannot delete one through its API. A channel whose contacts Switchboard keeps can.`
        )
      if (!(await book.remove(bookOf(channel), person))) throw gone(person)
    }
  }
}
