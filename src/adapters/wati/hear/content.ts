import type { HeardFile, HeardMessage } from '../../heard.ts'
import { array, type Json, record, string } from '../decode.ts'

// What a message from WATI says: its flat fields on the left, ours on the right (docs/upstream.md 3.7; docs/webhooks.md D1).

const some = (members: Json): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/** WATI's word → ours. */
const types: Readonly<Record<string, string>> = { voice: 'audio', ptt: 'audio', contact: 'contacts' }
const media = new Set(['image', 'video', 'document', 'audio', 'sticker'])

/** A path that getMedia takes, from a path or from an address that ends in one. */
const pathOf = (data: unknown): string | undefined =>
  /(?:^|[/=])(data\/[a-z]+\/[A-Za-z0-9._-]+)(?:$|[?#])/.exec(decoded(string(data) ?? ''))?.[1]

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone % is no encoding
  }
}

function fileOf(event: Json, type: string): HeardFile | undefined {
  const reference = pathOf(event.data)
  if (reference === undefined) return undefined
  const text = string(event.text)
  return {
    reference,
    ...(type === 'document' && text !== undefined && { filename: text.slice(0, 240) }),
    ...(type !== 'document' &&
      type !== 'audio' &&
      type !== 'sticker' &&
      text !== undefined && { caption: text.slice(0, 4096) })
  }
}

/** A JSON text of WATI's own, as an object; undefined where it is none: it may not parse (D1). */
function parsed(text: unknown): unknown {
  try {
    return JSON.parse(string(text) ?? '')
  } catch {
    return undefined
  }
}

/** The answer to a button, a list or a Flow; undefined where the event holds none. */
function replyOf(event: Json): HeardMessage['content'] | undefined {
  const [interactive, list, button] = [
    record(event.interactiveButtonReply),
    record(event.listReply),
    record(event.buttonReply)
  ]
  const flow = event.nfmReply ?? event.flowReply
  if (string(list.title) !== undefined || string(list.id) !== undefined)
    return some({ kind: 'list', id: string(list.id), title: string(list.title), description: string(list.description) })
  if (string(interactive.title) !== undefined || string(interactive.id) !== undefined)
    return some({ kind: 'button', id: string(interactive.id), title: string(interactive.title) })
  if (string(button.text) !== undefined || string(button.payload) !== undefined)
    return some({
      kind: 'template',
      title: string(button.text),
      payload: string(button.payload),
      data: parsed(button.payload)
    })
  if (record(flow) === flow) {
    const { body, response_json, responseJson } = record(flow)
    const text = string(response_json) ?? string(responseJson)
    const data = parsed(text)
    return some({
      kind: 'flow',
      title: string(body),
      data: data ?? (text === undefined ? undefined : { text: text.slice(0, 4096) })
    })
  }
  return undefined
}

/** WATI gives a place as "latitude,longitude" in `data` or `text`, as far as it was seen; else its words alone. */
function place(event: Json): Record<string, unknown> {
  const numbers = /(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)/.exec(
    `${string(event.data) ?? ''} ${string(event.text) ?? ''}`
  )
  const name = string(event.text)
  return some({
    ...(numbers && { latitude: Number(numbers[1]), longitude: Number(numbers[2]) }),
    name: name?.trim() === numbers?.[0] ? undefined : name
  })
}

function cards(event: Json): unknown[] {
  const told = event.messageContact
  const list = Array.isArray(told) ? told : record(told) === told ? [told] : array(record(told).contacts)
  return list.map(item => {
    const { name, phones, formattedName } = record(item)
    const formatted =
      string(formattedName) ?? string(record(name).formatted_name) ?? string(record(name).formattedName) ?? string(name)
    return some({
      name: { formatted: formatted ?? '' },
      phones: array(phones).map(phone =>
        some({ phone: string(record(phone).phone) ?? string(phone), type: string(record(phone).type) })
      )
    })
  })
}

/**
 * What an event's message says. Total: a type that is not known is `unsupported` with its name and its text.
 * @param event a `message`, `sessionMessageSent` or `templateMessageSent`
 */
export function contentOf(event: Json): HeardMessage {
  const word = string(event.type)?.toLowerCase() ?? 'text'
  const type = Object.hasOwn(types, word) ? types[word]! : word
  const text = string(event.text)
  const replyTo = string(event.replyContextId)
  const often = event.frequentlyForwarded === true
  const [url, id] = [string(event.sourceUrl), string(event.sourceId)]
  const around = {
    ...(replyTo !== undefined && { replyTo }),
    ...((url !== undefined || id !== undefined) && { referral: some({ sourceUrl: url, sourceId: id }) }),
    ...((often || event.forwarded === true) && { forwarded: often ? ('often' as const) : ('once' as const) })
  }
  const reply = replyOf(event)
  if (reply !== undefined) return { ...around, type: 'reply', content: reply }
  if (media.has(type)) {
    const file = fileOf(event, type)
    const { reference: _, ...content } = file ?? { reference: '' }
    return {
      ...around,
      type,
      content: some({ ...content, ...((word === 'voice' || word === 'ptt') && { voice: true }) }),
      ...(file && { file })
    }
  }
  switch (type) {
    case 'text':
      return { ...around, type, content: { body: text ?? '' } }
    // a button or an interactive message without its answer says what it says as text
    case 'button':
    case 'interactive':
      return { ...around, type: 'reply', content: some({ kind: 'button', title: text }) }
    case 'reaction':
      return {
        ...around,
        type,
        content: some({ messageId: replyTo, emoji: text ?? '' }),
        ...(replyTo !== undefined && { target: replyTo })
      }
    case 'location':
      return { ...around, type, content: place(event) }
    case 'contacts':
      return { ...around, type, content: cards(event) }
    case 'order':
      return { ...around, type, content: some({ text }) }
    case 'template':
      return { ...around, type, content: some({ name: string(event.templateName) }) }
    default:
      return { ...around, type: 'unsupported', content: some({ type, detail: text?.slice(0, 1024) }) }
  }
}
