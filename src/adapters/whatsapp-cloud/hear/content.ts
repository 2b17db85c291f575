import type { HeardFile, HeardMessage } from '../../heard.ts'
import { parsedJson, shallow } from '../../parsed-json.ts'
import { array, graphId, record, string, word } from '../decode.ts'
import { card } from './card.ts'
import { digits, instant, type Json, some } from './common.ts'

// What a message from Meta says, type by type: their node on the left, ours on the right (docs/upstream.md 4.12; docs/webhooks.md C5).

export type Content = Pick<HeardMessage, 'type' | 'content' | 'file' | 'target'>

const cut = (value: unknown, length: number): string | undefined => string(value)?.slice(0, length)
const number = (value: unknown): number | undefined => {
  const told = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof told === 'number' && Number.isFinite(told) ? told : undefined
}

const iso = (value: unknown): string | undefined => {
  const at = instant(value)
  return at === undefined ? undefined : new Date(at).toISOString()
}

/** Media ids live for seven days after the webhook (C5). */
const mediaLifeSeconds = 7 * 24 * 60 * 60

function media(type: string, node: Json): Content {
  const reference = graphId(node.id)
  const mimeType = cut((string(node.mime_type) ?? '').split(';')[0]?.trim().toLowerCase(), 120)
  const caption = cut(node.caption, 4096)
  const filename = cut(node.filename, 240)
  const content = some({
    caption,
    filename,
    mimeType,
    ...(node.voice === true && { voice: true }),
    ...(node.animated === true && { animated: true })
  })
  if (reference === undefined) return { type, content }
  const file: HeardFile = {
    reference,
    ...(mimeType !== undefined && { mimeType }),
    ...(filename !== undefined && { filename }),
    ...(caption !== undefined && { caption }),
    ...(string(node.sha256) !== undefined && { sha256: string(node.sha256)! }),
    lifeSeconds: mediaLifeSeconds
  }
  return { type, content, file }
}

/** The answer of a Flow: its JSON text, as an object where it is one (C5). */
function flowData(text: unknown): unknown {
  if (record(text) === text) return shallow(text)
  const told = string(text)
  if (told === undefined) return undefined
  const data = parsedJson(told)
  if (data === undefined) return { text: told.slice(0, 4096) } // not JSON, although it is called so
  return typeof data === 'object' && data !== null ? data : { value: data }
}

const reply = (content: Json): Content => ({ type: 'reply', content: some(content) })

const interactives: Readonly<Record<string, (node: Json) => Content>> = {
  button_reply: node => reply({ kind: 'button', id: string(node.id), title: string(node.title) }),
  list_reply: node =>
    reply({ kind: 'list', id: string(node.id), title: string(node.title), description: string(node.description) }),
  nfm_reply: node => reply({ kind: 'flow', title: string(node.body), data: flowData(node.response_json) }),
  call_permission_reply: node => ({
    type: 'system',
    content: some({
      event: 'call_permission',
      response: string(node.response),
      permanent: typeof node.is_permanent === 'boolean' ? node.is_permanent : undefined,
      expiresAt: iso(node.expiration_timestamp)
    })
  })
}

/** Meta says what it could not pass on, and this is all there is. */
function unsupported(message: Json, beside: unknown[], type: string): Content {
  const error = record(array(message.errors)[0] ?? beside[0])
  const what = word(record(message.unsupported).type) ?? (type === 'unsupported' ? undefined : type)
  return {
    type: 'unsupported',
    content: some({
      type: what,
      code: graphId(error.code)?.slice(0, 40),
      title: cut(error.title, 256),
      detail: [record(error.error_data).details, error.details, error.message]
        .map(words => cut(words, 1024))
        .find(Boolean)
    })
  }
}

const readers: Readonly<Record<string, (node: Json, message: Json) => Content>> = {
  text: node => ({
    type: 'text',
    content: some({ body: string(typeof node.body === 'number' ? String(node.body) : node.body) ?? '' })
  }),
  image: node => media('image', node),
  video: node => media('video', node),
  audio: node => media('audio', node),
  document: node => media('document', node),
  sticker: node => media('sticker', node),
  location: node => ({
    type: 'location',
    content: some({
      latitude: number(node.latitude),
      longitude: number(node.longitude),
      name: string(node.name),
      address: string(node.address),
      url: string(node.url)
    })
  }),
  contacts: (_node, message) => ({ type: 'contacts', content: array(message.contacts).map(card) }),
  reaction: node => ({
    type: 'reaction',
    content: some({ messageId: string(node.message_id), emoji: string(node.emoji) ?? '' }),
    ...(string(node.message_id) !== undefined && { target: string(node.message_id)! })
  }),
  button: node => reply({ kind: 'template', title: string(node.text), payload: string(node.payload) }),
  order: node => ({
    type: 'order',
    content: some({
      catalogId: graphId(node.catalog_id),
      text: string(node.text),
      items: array(node.product_items).map(item => {
        const { product_retailer_id, quantity, item_price, currency } = record(item)
        return some({
          productId: graphId(product_retailer_id),
          quantity: number(quantity),
          price: number(item_price),
          currency: string(currency)
        })
      })
    })
  }),
  system: node => ({
    type: 'system',
    content: some({
      event: word(node.type) ?? 'unknown',
      // for people: never to be read by a program (C5)
      body: cut(node.body, 1024),
      phone: digits(node.new_wa_id ?? node.wa_id),
      userId: string(node.user_id)
    })
  }),
  edit: node => {
    const target = string(node.original_message_id)
    const message = record(node.message)
    // Nobody edits an edit: however deep they are nested, one is read.
    const inner = word(message.type) === 'edit' ? unsupported(message, [], 'edit') : contentOf(message, [])
    return {
      type: 'edit',
      content: some({ messageId: target, type: inner.type, [inner.type]: inner.content }),
      ...(inner.file && { file: inner.file }),
      ...(target !== undefined && { target })
    }
  },
  revoke: node => {
    const target = string(node.original_message_id)
    return { type: 'revoke', content: some({ messageId: target }), ...(target !== undefined && { target }) }
  }
}

const files = new Set(['image', 'video', 'audio', 'document', 'sticker'])

/**
 * What a message says. Total: what is broken, or of a type that is not known, is `unsupported` with whatever is told of it.
 * @param message one of `messages[]` or `message_echoes[]`
 * @param beside the `errors[]` beside it: they tell of a message whose own node is missing
 */
export function contentOf(message: Json, beside: unknown[]): Content {
  const type = word(message.type) ?? 'unknown'
  if (type === 'interactive') {
    const node = record(message.interactive)
    const kind = word(node.type) ?? ''
    const read = Object.hasOwn(interactives, kind) ? interactives[kind] : undefined
    return read ? read(record(node[kind])) : unsupported(message, beside, kind ? `interactive ${kind}` : 'interactive')
  }
  const read = Object.hasOwn(readers, type) ? readers[type] : undefined
  // A file without an id and with an error did not come through, whatever else is told of it.
  if (files.has(type) && graphId(record(message[type]).id) === undefined && array(message.errors).length > 0)
    return unsupported(message, beside, type)
  const there = type === 'contacts' ? Array.isArray(message.contacts) : record(message[type]) === message[type]
  return read && there ? read(record(message[type]), message) : unsupported(message, beside, type)
}
