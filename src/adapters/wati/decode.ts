import type { Template, TemplateVariable } from '../../../schemas/templates.ts'
import { identified } from '../../phone.ts'
import type { Receipt, TemplateDefinition } from '../adapter.ts'
import { templateQuality, unfilled, unfilledPurpose } from '../template-parts.ts'

// WATI's wire → neutral. Only the fields named here are read, and none is trusted to be of its documented type.

export type Json = Readonly<Record<string, unknown>>

/** An object's members; none where it is something else. */
export const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
export const array = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
/** A string with something in it. */
export const string = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined
/** Ids are opaque; a number is one too. */
export const id = (value: unknown): string | undefined => (Number.isSafeInteger(value) ? String(value) : string(value))

/** Words of `result` that tell an outcome and are no id (docs/upstream.md 3.3, 3.4.5). */
const outcomeWords = new Set(['success', 'true', 'ok'])
const resultId = (result: unknown): string | undefined => {
  const word = string(result)
  return word && outcomeWords.has(word.trim().toLowerCase()) ? undefined : word
}

/** The receipt in an answer that is known to be an acceptance (docs/api.md 4; docs/upstream.md 3.4.5, 3.4.6, 3.4.11). */
export function receipt(body: Json): Receipt {
  const message = record(body.message)
  const receiver = record(array(body.receivers)[0])
  // in the order in which one of them becomes the message's own
  const told = [
    ...[message.whatsappMessageId, message.id].map(id),
    ...[resultId(body.result), id(receiver.localMessageId), id(body.local_message_id)],
    ...[message.localMessageId, ...array(record(body.model).ids)].map(id)
  ]
  const [providerMessageId = null, ...aliases] = new Set(told.filter(each => each !== undefined))
  return {
    providerMessageId,
    ...(aliases.length > 0 && { aliases }),
    recipient: identified(receiver.waId, body.phone_number),
    warnings: providerMessageId === null ? ['WATI took the message without giving it an id.'] : []
  }
}

/** `{{name}}` in order of appearance. */
const placeholders = (words: string | undefined): string[] =>
  [...(words ?? '').matchAll(/\{\{([^{}]{1,100})\}\}/g)].map(match => match[1]!.trim()).filter(name => name !== '')

/** WATI's words of 3.6 that are not Meta's; all others only lose their case. */
const buttonTypes: Readonly<Record<string, string>> = { call: 'phone_number', phone: 'phone_number' }
/** What a header that can carry a file is called; it alone has a media variable. */
const mediaFormats = new Set(['image', 'video', 'document'])
/** How media variables are named: `mediaUrl` is the one observed (docs/upstream.md 3.4.8). */
const mediaNames = /^(media|header|image|video|document|file)/i

const word = (value: unknown, fallback: string): string => string(value)?.trim().toLowerCase() ?? fallback

/** Where the names of a template's variables stand, and under which names they are filled. */
interface Place {
  in: TemplateVariable['in']
  buttonIndex?: number
  names: string[]
}

function headerOf(value: unknown): Template['header'] {
  const { typeString, text: words } = record(value)
  const format = word(typeString, string(words) ? 'text' : 'none')
  return format === 'none' ? undefined : { format, ...(format === 'text' && { text: string(words) ?? '' }) }
}

function buttonOf(value: unknown): NonNullable<Template['buttons']>[number] {
  const { type, parameter } = record(value)
  const { text: words, url, urlOriginal, phoneNumber } = record(parameter)
  const kind = word(type, 'unknown')
  const address = string(urlOriginal) ?? string(url)
  const phone = string(phoneNumber)
  return {
    type: Object.hasOwn(buttonTypes, kind) ? buttonTypes[kind]! : kind,
    text: string(words) ?? '',
    ...(address && { url: address }),
    ...(phone && { phone })
  }
}

/** A button's variable: the name that WATI maps it to (docs/upstream.md 3.6; shape unconfirmed), else its placeholder. */
function buttonNames(value: unknown): string[] {
  const { url, urlOriginal, buttonParamMapping } = record(record(value).parameter)
  const mapped = [buttonParamMapping].flat().flatMap(entry => string(entry) ?? string(record(entry).paramName) ?? [])
  return mapped.length > 0 ? mapped : placeholders(string(urlOriginal) ?? string(url))
}

/** WATI's members for what is more than header, body, footer and buttons: unconfirmed, so they are known by their names. */
const partMembers: readonly (readonly [RegExp, string])[] = [
  [/^(template)?carousel/i, 'carousel'],
  [/^limitedTimeOffer|^lto/i, 'limited_time_offer']
]
const present = (value: unknown): boolean => array(value).length > 0 || Object.keys(record(value)).length > 0

/** What cannot be filled, each once. */
function partsOf(item: Json, header: Template['header'], buttons: NonNullable<Template['buttons']>): string[] {
  const members = Object.entries(item).flatMap(([name, value]) =>
    present(value) ? partMembers.flatMap(([pattern, part]) => (pattern.test(name) ? [part] : [])) : []
  )
  return [
    ...new Set([
      ...members,
      ...(header ? unfilled('header', header.format) : []),
      ...buttons.flatMap(({ type }) => unfilled('button', type)),
      ...unfilledPurpose(word(item.subCategory, ''))
    ])
  ]
}

/** The media variable stands in no text: by its name, by the header's own link, or as the only name left over. */
function mediaVariableOf(header: Json, names: string[], places: Place[], hasOriginal: boolean): string | undefined {
  if (!mediaFormats.has(word(header.typeString, ''))) return undefined
  const linked = placeholders(string(header.link))[0]
  if (linked !== undefined) return linked
  const left = names.filter(name => !places.some(place => place.names.includes(name)))
  return left.find(name => mediaNames.test(name)) ?? (hasOriginal && left.length === 1 ? left[0] : undefined)
}

/** One template of `getMessageTemplates` (docs/upstream.md 3.4.7, 3.6); undefined where it has no name to send it by. */
export function template(value: unknown, channel: string): TemplateDefinition | undefined {
  const item = record(value)
  const name = string(item.elementName)
  if (name === undefined) return undefined
  const original = string(item.bodyOriginal)
  const body = original ?? string(item.body) ?? ''
  const header = headerOf(item.header)
  const footer = string(item.footer) ?? string(record(item.footer).text)
  const places: Place[] = [
    { in: 'header', names: placeholders(header?.text) },
    { in: 'body', names: placeholders(body) },
    ...array(item.buttons).map(
      (button, buttonIndex) => ({ in: 'button', buttonIndex, names: buttonNames(button) }) as const
    )
  ]
  const given = array(item.customParams)
    .map(record)
    .filter(param => string(param.paramName))
  const examples = new Map(given.map(param => [string(param.paramName)!.trim(), string(param.paramValue)]))
  // 3.4.7: the list can be empty although the body has placeholders
  const names = examples.size > 0 ? [...examples.keys()] : [...new Set(places.flatMap(place => place.names))]
  const mediaVariable = mediaVariableOf(record(item.header), names, places, original !== undefined)
  const variables = names
    .filter(variable => variable !== mediaVariable)
    .map((variable): TemplateVariable => {
      const place = places.find(candidate => candidate.names.includes(variable))
      const example = examples.get(variable)
      return {
        name: variable,
        in: place?.in ?? 'body',
        ...(place?.buttonIndex !== undefined && { buttonIndex: place.buttonIndex }),
        ...(example && { example })
      }
    })
  const buttons = array(item.buttons).map(buttonOf)
  const unsupportedParts = partsOf(item, header, buttons)
  const providerTemplateId = id(item.id)
  const quality = templateQuality(item.quality)
  const numbered = variables.every(variable => variable.in === 'button' || /^\d+$/.test(variable.name))
  return {
    channel,
    name,
    language: string(record(item.language).value) ?? string(item.language) ?? '',
    category: word(item.category, 'unknown'),
    status: word(item.status, 'unknown'),
    ...(header && { header }),
    body: { text: body },
    ...(footer && { footer: { text: footer } }),
    ...(buttons.length > 0 && { buttons }),
    variables,
    parameterFormat: numbered ? 'positional' : 'named',
    ...(unsupportedParts.length > 0 && { unsupportedParts }),
    ...(providerTemplateId && { providerTemplateId }),
    ...(quality && { quality }),
    ...(mediaVariable && { mediaVariable, mediaPosition: Math.max(names.indexOf(mediaVariable), 0) })
  }
}
