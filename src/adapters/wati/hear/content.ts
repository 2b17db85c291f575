import type { HeardFile, HeardMessage } from '../../heard.ts'
import { shallow } from '../../parsed-json.ts'
import { array, id, type Json, record, string } from '../decode.ts'
import { mediaPathOf } from '../media-path.ts'
import { parsed, some, yes } from './common.ts'
import { cards, place } from './places-and-cards.ts'

// What a message from WATI says: its flat fields on the left, ours on the right (docs/upstream.md 3.7; docs/webhooks.md D1).

/** WATI's word → ours. */
const types: Readonly<Record<string, string>> = { voice: 'audio', ptt: 'audio', contact: 'contacts' }
const media = new Set(['image', 'video', 'document', 'audio', 'sticker'])

/** What stands beside a file: a document's name, else what is written below it. */
function wordsOf(event: Json, type: string): Pick<HeardFile, 'filename' | 'caption'> {
  const text = id(event.text)
  if (text === undefined || type === 'audio' || type === 'sticker') return {}
  return type === 'document' ? { filename: text.slice(0, 240) } : { caption: text.slice(0, 4096) }
}

/** A file that is not among WATI's own stands elsewhere: an operator can send an address. */
const linkOf = (data: unknown): string | undefined => {
  const told = string(data)
  return told !== undefined && /^https?:\/\/\S{1,2000}$/.test(told) && !told.includes('fileName=') ? told : undefined
}

/** The answer to a button, a list or a Flow; undefined where the event holds none. */
function replyOf(event: Json): HeardMessage['content'] | undefined {
  const [interactive, list, button] = [event.interactiveButtonReply, event.listReply, event.buttonReply].map(told =>
    record(string(told) === undefined ? told : parsed(told))
  ) as [Json, Json, Json]
  const flow = event.nfmReply ?? event.flowReply
  if (string(list.title) !== undefined || id(list.id) !== undefined)
    return some({ kind: 'list', id: id(list.id), title: string(list.title), description: string(list.description) })
  if (string(interactive.title) !== undefined || id(interactive.id) !== undefined)
    return some({ kind: 'button', id: id(interactive.id), title: string(interactive.title) })
  if (string(button.text) !== undefined || string(button.payload) !== undefined)
    return some({
      kind: 'template',
      title: string(button.text),
      payload: string(button.payload),
      data: parsed(button.payload)
    })
  if (record(flow) === flow) {
    const { body, response_json, responseJson } = record(flow)
    const told = response_json ?? responseJson
    const text = string(told)
    const data = text === undefined ? shallow(record(told) === told ? told : undefined) : parsed(text)
    return some({
      kind: 'flow',
      title: string(body),
      data: data ?? (text === undefined ? undefined : { text: text.slice(0, 4096) })
    })
  }
  return undefined
}

/** An order has no documented form: what `data` says is read as Meta says it, and is shown as it is where it says it otherwise. */
function order(event: Json): Json {
  const told = parsed(event.data) ?? shallow(event.data)
  const { catalog_id, text, product_items } = record(told)
  const items = array(product_items).map(item => {
    const { product_retailer_id, quantity, item_price, currency } = record(item)
    return some({ productId: id(product_retailer_id), quantity, price: item_price, currency })
  })
  const read = items.length > 0
  return some({
    catalogId: id(catalog_id),
    text: id(event.text) ?? string(text),
    items: read ? items : undefined,
    data: read || typeof told !== 'object' || told === null ? undefined : told
  })
}

/** What a business sends: its menus are known by their words alone. */
export function sentContentOf(event: Json): HeardMessage {
  const message = contentOf(event)
  const type = string(event.type)?.toLowerCase()
  const menu = type === 'list' ? type : type === 'button' || type === 'interactive' ? 'buttons' : undefined
  return menu === undefined ? message : { ...message, type: menu, content: some({ body: id(event.text) }) }
}

/**
 * What an event's message says. Total: a type that is not known is `unsupported` with its name and its text.
 * @param event a `message`, `sessionMessageSent` or `templateMessageSent`
 */
export function contentOf(event: Json): HeardMessage {
  const word = string(event.type)?.toLowerCase() ?? 'text'
  const type = Object.hasOwn(types, word) ? types[word]! : word
  const text = id(event.text)
  const replyTo = string(event.replyContextId)
  const often = yes(event.frequentlyForwarded)
  const [url, source] = [string(event.sourceUrl), string(event.sourceId)]
  const around = {
    ...(replyTo !== undefined && { replyTo }),
    ...((url !== undefined || source !== undefined) && { referral: some({ sourceUrl: url, sourceId: source }) }),
    ...((often || yes(event.forwarded)) && { forwarded: often ? ('often' as const) : ('once' as const) })
  }
  const reply = replyOf(event)
  if (reply !== undefined) return { ...around, type: 'reply', content: reply }
  if (media.has(type)) {
    const reference = mediaPathOf(event.data)
    const words = wordsOf(event, type)
    const link = reference === undefined ? linkOf(event.data) : undefined
    return {
      ...around,
      type,
      content: some({ link, ...words, ...((word === 'voice' || word === 'ptt') && { voice: true }) }),
      ...(reference !== undefined && { file: { reference, ...words } })
    }
  }
  switch (type) {
    case 'text':
      return { ...around, type, content: { body: text ?? '' } }
    // a button or an interactive message without its answer says what it says as text
    case 'button':
    case 'interactive':
      return {
        ...around,
        type: 'reply',
        content: some({ kind: type === 'button' ? 'template' : 'button', title: text, data: parsed(event.data) })
      }
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
      return { ...around, type, content: order(event) }
    case 'template':
      return { ...around, type, content: some({ name: string(event.templateName), body: text?.slice(0, 4096) }) }
    default:
      return {
        ...around,
        type: 'unsupported',
        content: some({ type: type === 'unsupported' ? undefined : type, detail: text?.slice(0, 1024) })
      }
  }
}
