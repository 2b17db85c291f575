import type { ContentByType, MessageType } from '../../../schemas/content.ts'
import { isUserId } from '../../phone.ts'
import type {
  BoundChannel,
  Encoded,
  Encoder,
  InteractiveMediaHeader,
  ResolvedMedia,
  ResolvedTemplate,
  Sendable,
  SendableContent
} from '../adapter.ts'
import { Unsupported } from '../adapter.ts'
import { contact, defined, type Json } from './card.ts'
import { graphPath, type Settings } from './settings.ts'

// Neutral → POST /{phone_number_id}/messages (docs/upstream.md 4.2, 4.3). One pure function per message type; each answers
// Meta's word for the type and the object that stands under that word.

type Wire = readonly [type: string, content: unknown]

/**
 * Whom it goes to. Without the plus Meta puts the business number's own country code in front, and the message reaches
 * somebody else (docs/webhooks.md A11); a user id in `to` is answered 200 and dropped (C4).
 */
const addressee = (to: string): Json => (isUserId(to) ? { recipient: to } : { to: `+${to}` })

function envelope(message: Sendable, channel: BoundChannel<Settings>, [type, content]: Wire): Encoded {
  const json = {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    ...addressee(message.to),
    type,
    ...(message.replyTo !== undefined && { context: { message_id: message.replyTo } }),
    // comes back in every status webhook, and so finds the message whose answer was lost (4.2)
    biz_opaque_callback_data: `sb1.${message.id}`,
    [type]: content
  }
  const path = graphPath(channel.settings, channel.settings.phoneNumberId, 'messages')
  return { request: { method: 'POST', path, body: { json } }, warnings: [] }
}

const encoder = <T extends MessageType>(say: (content: SendableContent[T]) => Wire): Encoder<T, Settings> => ({
  encode: (message, channel) => envelope(message, channel, say(message.content))
})

const text = ({ body, previewUrl }: ContentByType['text']): Wire => ['text', defined({ body, preview_url: previewUrl })]

function source({ source }: ResolvedMedia): Json {
  if ('link' in source) return { link: source.link }
  if ('providerMediaId' in source) return { id: source.providerMediaId }
  throw new Error('a file has to be uploaded before it is sent: this provider takes media by reference')
}
/** A document without a name shows as "Untitled" (docs/api.md 7). */
const extraOf = {
  caption: ({ caption }: ResolvedMedia) => caption,
  filename: ({ filename, linkName }: ResolvedMedia) => filename ?? linkName
}
/** Which of caption and filename a kind of media may carry (4.2); what a kept file brings beyond that stays here. */
const media =
  (type: string, ...extras: ('caption' | 'filename')[]) =>
  (content: ResolvedMedia): Wire => [
    type,
    { ...source(content), ...defined(Object.fromEntries(extras.map(extra => [extra, extraOf[extra](content)]))) }
  ]

const location = ({ latitude, longitude, name, address }: ContentByType['location']): Wire => [
  'location',
  defined({ latitude, longitude, name, address })
]

const contacts = (cards: ContentByType['contacts']): Wire => ['contacts', cards.map(contact)]

/** Gives b1, b2, … (r1, …) by position to what has no id, and steps over those that the caller gave. */
function withIds<T extends { id?: string }>(items: readonly T[], prefix: string): (T & { id: string })[] {
  const taken = new Set(items.map(item => item.id))
  return items.map((item, position) => {
    if (item.id !== undefined) return { ...item, id: item.id }
    let number = position + 1
    while (taken.has(`${prefix}${number}`)) number++
    taken.add(`${prefix}${number}`)
    return { ...item, id: `${prefix}${number}` }
  })
}

function mediaObject(kind: 'image' | 'video' | 'document', content: ResolvedMedia): Json {
  return { type: kind, [kind]: media(kind, ...(kind === 'document' ? (['filename'] as const) : []))(content)[1] }
}
const interactiveHeader = (header: InteractiveMediaHeader): Json =>
  'text' in header ? { type: 'text', text: header.text } : mediaObject(header.kind, header.media)

const buttons = ({ header, body, footer, buttons }: SendableContent['buttons']): Wire => [
  'interactive',
  {
    type: 'button',
    ...(header && { header: interactiveHeader(header) }),
    body: { text: body },
    ...(footer !== undefined && { footer: { text: footer } }),
    action: { buttons: withIds(buttons, 'b').map(({ id, title }) => ({ type: 'reply', reply: { id, title } })) }
  }
]

function sectionsWithIds(sections: ContentByType['list']['sections']): Json[] {
  const rows = withIds(
    sections.flatMap(section => section.rows),
    'r'
  ).map(defined)
  return sections.map(({ title, rows: own }) => defined({ title, rows: rows.splice(0, own.length) }))
}
const list = ({ header, body, footer, button, sections }: ContentByType['list']): Wire => [
  'interactive',
  {
    type: 'list',
    ...(header !== undefined && { header: { type: 'text', text: header } }),
    body: { text: body },
    ...(footer !== undefined && { footer: { text: footer } }),
    action: { button, sections: sectionsWithIds(sections) }
  }
]

/** A reaction points at its message itself, and a second message cannot be quoted with it. */
const reaction: Encoder<'reaction', Settings> = {
  encode: ({ replyTo, ...message }, channel) => {
    const { messageId, emoji } = message.content
    if (replyTo !== undefined && replyTo !== messageId) {
      throw new Unsupported('A reaction cannot also answer another message: leave replyTo out.')
    }
    return envelope(message, channel, ['reaction', { message_id: messageId, emoji }])
  }
}

const buttonWords = {
  url: (value: string) => ({ type: 'text', text: value }),
  quick_reply: (value: string) => ({ type: 'payload', payload: value }),
  copy_code: (value: string) => ({ type: 'coupon_code', coupon_code: value })
}

/** Only a template with named parameters takes names, and only in header and body (4.3). */
const textParameters = (
  values: { name: string; value: string }[],
  format: ResolvedTemplate['parameterFormat']
): Json[] =>
  values.map(({ name, value }) => ({ type: 'text', ...(format === 'named' && { parameter_name: name }), text: value }))

function headerParameters({ header, parameterFormat }: ResolvedTemplate): Json[] {
  if (!header) return []
  if ('values' in header) return textParameters(header.values, parameterFormat)
  if ('location' in header) return [{ type: 'location', location: location(header.location)[1] }]
  return [mediaObject(header.kind, header.media)]
}

/** A component without parameters is left out: only what varies needs one (4.3). */
function template(content: ResolvedTemplate): Wire {
  const components = [
    { type: 'header', parameters: headerParameters(content) },
    { type: 'body', parameters: textParameters(content.body, content.parameterFormat) },
    ...content.buttons.map(({ index, type, value }) => ({
      type: 'button',
      sub_type: type,
      index: String(index),
      parameters: [buttonWords[type](value)]
    }))
  ].filter(({ parameters }) => parameters.length > 0)
  const { name, language } = content
  return ['template', { name, language: { code: language }, ...(components.length > 0 && { components }) }]
}

/** Presence is capability: WhatsApp itself can say all twelve. */
export const encoders: { readonly [T in MessageType]: Encoder<T, Settings> } = {
  text: encoder<'text'>(text),
  image: encoder<'image'>(media('image', 'caption')),
  video: encoder<'video'>(media('video', 'caption')),
  document: encoder<'document'>(media('document', 'caption', 'filename')),
  audio: encoder<'audio'>(media('audio')),
  sticker: encoder<'sticker'>(media('sticker')),
  location: encoder<'location'>(location),
  contacts: encoder<'contacts'>(contacts),
  buttons: encoder<'buttons'>(buttons),
  list: encoder<'list'>(list),
  reaction,
  template: {
    encode: (message, channel) => {
      const encoded = envelope(message, channel, template(message.content))
      const refused = message.content.category === 'authentication' && isUserId(message.to)
      const why = 'WhatsApp refuses authentication templates to a user id (131062): write to the telephone number.'
      return refused ? { ...encoded, warnings: [...encoded.warnings, why] } : encoded
    }
  }
}
