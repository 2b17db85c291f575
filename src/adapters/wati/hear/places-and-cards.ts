import { array, type Json, record, string } from '../decode.ts'
import { parsed, some } from './common.ts'

// Places and contact cards in WATI's messages: neither has a documented form, so what was seen is read, and Meta's as well.

const coordinate = (value: unknown, most: number): number | undefined => {
  const told = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof told === 'number' && Math.abs(told) <= most ? told : undefined
}

/** Two numbers that are no part of longer ones; without a fraction they may be a house and a street. */
const pair = /(?<![\d.])(-?\d{1,2}\.\d+)\s*,\s*(-?\d{1,3}\.\d+)(?![\d.])/
const onlyPair = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*$/
const isObject = (text: string | undefined): boolean => text?.trimStart().startsWith('{') === true

/** Where a member says that it is: as an object, as its JSON, or as "latitude,longitude", alone or in an address. */
function whereIn(value: unknown): Json | undefined {
  const text = string(value)
  const told = record(isObject(text) ? parsed(text) : value)
  const found = text === undefined ? null : (onlyPair.exec(text) ?? pair.exec(text))
  const latitude = coordinate(told.latitude ?? found?.[1], 90)
  const longitude = coordinate(told.longitude ?? found?.[2], 180)
  if (latitude === undefined || longitude === undefined) return undefined
  return some({ latitude, longitude, name: string(told.name), address: string(told.address), url: string(told.url) })
}

/** A place from `data` or `text`; what is more in `text` than the place itself is its name. */
export function place(event: Json): Json {
  const [inData, inText] = [whereIn(event.data), whereIn(event.text)]
  const name = string(event.text)
  const named = name !== undefined && !(inText && (onlyPair.test(name) || isObject(name)))
  return { ...(inData ?? inText), ...(named && { name }) }
}

const list = (items: unknown, read: (item: Json) => Json): Json[] | undefined => {
  const told = array(items).map(item => some(read(record(item))))
  return told.length > 0 ? told : undefined
}

/** A card as it was seen, or as Meta writes it (docs/upstream.md 4.12). */
function card(item: unknown): Json {
  const { name, phones, emails, org, formattedName, vcard } = record(item)
  const { formatted_name, formattedName: formattedIn, first_name, last_name } = record(name)
  const formatted = [formattedName, formatted_name, formattedIn, name, first_name].map(string).find(Boolean)
  const { company, department, title } = record(org)
  const works = some({ company: string(company), department: string(department), title: string(title) })
  return some({
    name: some({ formatted: formatted ?? '', first: string(first_name), last: string(last_name) }),
    phones: array(phones).map(phone => {
      const { phone: number, wa_id, waId, type } = record(phone)
      return some({ phone: string(number) ?? string(phone), type: string(type), waId: string(wa_id) ?? string(waId) })
    }),
    emails: list(emails, ({ email, type }) => ({ email: string(email), type: string(type) })),
    org: Object.keys(works).length > 0 ? works : undefined,
    vcard: string(vcard)
  })
}

/** The cards that came; where there are none, the text is all that is known of them. */
export function cards(event: Json): Json[] {
  const told = event.messageContact
  const inner = Array.isArray(told) ? told : record(told).contacts
  const all = Array.isArray(inner) ? inner : record(told) === told ? [told] : []
  const text = string(event.text)
  return all.length > 0 || text === undefined ? all.map(card) : [{ name: { formatted: text } }]
}
