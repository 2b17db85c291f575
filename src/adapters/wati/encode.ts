import type { MediaType } from '../../../schemas/content.ts'
import {
  type BoundChannel,
  type Encoded,
  type EncoderTable,
  type NativeRequest,
  type ResolvedMedia,
  type ResolvedTemplate,
  type Sendable,
  type SendableContent,
  Unsupported
} from '../adapter.ts'
import type { Settings } from './settings.ts'

// Neutral → WATI's wire, one pure function per message type. Every shape: UPSTREAM.md 3.4.

type Channel = BoundChannel<Settings>

/** What is given, without what is not: an absent hint must not appear on the wire as an empty one. */
const defined = <T extends Record<string, unknown>>(members: T) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>

type Query = Record<string, string | undefined>
const post = (path: string[], query: Query, body?: NativeRequest['body']): NativeRequest => ({
  method: 'POST',
  path: ['api', ...path],
  query: defined(query),
  ...(body && { body })
})

/** WATI's own name for a template send, shown in its dashboard and never to the recipient: a mere hint elsewhere. */
const lostName = ({ options }: Sendable): string[] =>
  options?.broadcastName === undefined ? [] : ['WATI takes a broadcastName only with a template: it was not sent.']

/** The recipient sees the quote, and "yes" means little without it: it changes the message and is refused. */
function refuseQuote({ replyTo, type }: Sendable): void {
  if (replyTo === undefined) return
  throw new Unsupported(`WATI can quote only with a text message, not with ${type}: send a text, or leave out replyTo`)
}

/** UPSTREAM.md 3.4.5. Our id goes along, so that WATI's `_v2` webhooks can be matched even if the answer is lost. */
function text(message: Sendable<'text'>, { settings }: Channel): Encoded {
  const { id, to, content, replyTo } = message
  const words = { messageText: content.body }
  const query = { replyContextId: replyTo, channelPhoneNumber: settings.channelPhoneNumber, localMessageId: id }
  const path = ['v1', 'sendSessionMessage', to]
  const inQuery = settings.sessionTextIn === 'query'
  const preview = 'WATI decides by itself whether a link gets a preview: previewUrl was not sent.'
  return {
    request: inQuery ? post(path, { ...words, ...query }) : post(path, query, { form: words }),
    warnings: [...lostName(message), ...(content.previewUrl === undefined ? [] : [preview])]
  }
}

/** UPSTREAM.md 3.4.6: WATI knows neither links nor ids of files here, only bytes. */
function file(message: Sendable<MediaType>, { settings }: Channel): Encoded {
  refuseQuote(message)
  const { to, content, type } = message
  if (!('file' in content.source)) {
    throw new Unsupported(`WATI takes ${type} only as a file: give a public link, or a mediaId of POST /media`)
  }
  const part = { ...content.source.file, filename: content.filename ?? content.source.file.filename }
  const query = { caption: content.caption, channelPhoneNumber: settings.channelPhoneNumber }
  return {
    request: post(['v1', 'sendSessionFile', to], query, { multipart: [{ name: 'file', file: part }] }),
    warnings: lostName(message)
  }
}

/** Headers reach WATI as a public address and in no other way (UPSTREAM.md 3.4.8, 3.4.12). */
function linkOf({ source }: ResolvedMedia, where: string): string {
  if ('link' in source) return source.link
  throw new Unsupported(`WATI takes the media of a ${where} only as a link: give a public link instead of a mediaId`)
}

/** UPSTREAM.md 3.4.12: capitalised there; whether lower case is taken is unconfirmed. */
const headerTypes = { image: 'Image', video: 'Video', document: 'Document' } as const

function buttonsHeader(header: NonNullable<SendableContent['buttons']['header']>) {
  if ('text' in header) return { type: 'Text', text: header.text }
  const { kind, media } = header
  const fileName = kind === 'document' ? media.filename : undefined
  return { type: headerTypes[kind], media: { url: linkOf(media, 'buttons header'), ...defined({ fileName }) } }
}

/** The ids are ours to answer with, the recipient does not see them. WATI tells a reply by its title (3.4.13, 3.7). */
const lostIds = (items: { id?: string }[], what: string): string[] =>
  items.some(item => item.id !== undefined)
    ? [`WATI has no ids for ${what}: they were not sent, and a reply names the title only.`]
    : []

function interactive(
  act: string,
  message: Sendable,
  { settings }: Channel,
  json: Record<string, unknown>
): NativeRequest {
  refuseQuote(message)
  const query = { whatsappNumber: message.to, channelPhoneNumber: settings.channelPhoneNumber }
  return post(['v1', act], query, { json: defined(json) })
}

/** UPSTREAM.md 3.4.12: an object for a header, plain strings for body and footer. */
function buttons(message: Sendable<'buttons'>, channel: Channel): Encoded {
  const { header, buttons, ...strings } = message.content
  const texts = buttons.map(({ title }) => ({ text: title }))
  const json = { ...strings, header: header && buttonsHeader(header), buttons: texts }
  return {
    request: interactive('sendInteractiveButtonsMessage', message, channel, json),
    warnings: [...lostName(message), ...lostIds(buttons, 'buttons')]
  }
}

/** UPSTREAM.md 3.4.13. A header is a plain string here, a title is required, and one of our making would be seen. */
function list(message: Sendable<'list'>, channel: Channel): Encoded {
  const { button, sections, ...strings } = message.content
  // WhatsApp itself takes 4096 (4.2)
  if (strings.body.length > 1024) throw new Unsupported('WATI takes 1024 characters as a list’s body: shorten it')
  const untitled = sections.findIndex(section => section.title === undefined)
  if (untitled >= 0) throw new Unsupported(`WATI wants every section titled: give list.sections[${untitled}].title`)
  const rows = sections.flatMap(section => section.rows)
  const json = {
    ...strings,
    buttonText: button,
    sections: sections.map(({ title, rows }) => ({ title, rows: rows.map(row => defined({ ...row, id: undefined })) }))
  }
  return {
    request: interactive('sendInteractiveListMessage', message, channel, json),
    warnings: [...lostName(message), ...lostIds(rows, 'list rows')]
  }
}

type Parameter = ResolvedTemplate['flat'][number]

/** A media header is one more parameter, its address, under the template's own media variable (UPSTREAM.md 3.4.8). */
function headerParameters({ header, mediaVariable }: ResolvedTemplate): Parameter[] {
  if (header === undefined || 'values' in header) return []
  if ('location' in header) {
    throw new Unsupported('WATI cannot send a template with a location header: use a template without one')
  }
  const { kind, media } = header
  const value = linkOf(media, 'template header')
  if (kind === 'document' && media.filename !== undefined) {
    throw new Unsupported('WATI names the document of a template by its link: leave out header.document.filename')
  }
  return [{ name: mediaVariable ?? 'mediaUrl', value }]
}

/** Buttons' values that are not among the definition's text values already. A quick reply's payload is never seen. */
function buttonParameters({ buttons, flat }: ResolvedTemplate): Parameter[] {
  return buttons.flatMap(({ index, type, name, value }) => {
    if (type === 'quick_reply' || flat.some(parameter => parameter.name === name)) return []
    if (name !== undefined) return [{ name, value }]
    throw new Unsupported(`WATI fills buttons by variable: give the value of button ${index} among template.variables`)
  })
}

/** WATI refuses these as "typos or blank text" after the message is spent (UPSTREAM.md 3.4.8). */
function refuseBlank({ name, value }: Parameter): void {
  if (value.trim() === '') throw new Unsupported(`WATI takes no empty value: give template.variables.${name} some text`)
}

/**
 * UPSTREAM.md 3.4.11. The call has no place for a language: WATI sends the one that the name was made in. The corridor
 * has checked the caller's language against that definition, so that there is nothing left to warn of here.
 */
function template(message: Sendable<'template'>, { settings }: Channel): Encoded {
  refuseQuote(message)
  const { id, to, content, options } = message
  // in the order in which they stand in the template: WATI's page wants that, its server the names (3.4.8)
  const parameters = [...headerParameters(content), ...content.flat, ...buttonParameters(content)]
  parameters.forEach(refuseBlank)
  const json = {
    template_name: content.name,
    broadcast_name: typeof options?.broadcastName === 'string' ? options.broadcastName : id,
    parameters: parameters.map(({ name, value }) => ({ name, value })),
    channel_number: settings.channelPhoneNumber
  }
  const payload = 'WATI has no payload for quick replies: it was not sent, and a reply names the title only.'
  return {
    request: post(['v2', 'sendTemplateMessage'], { whatsappNumber: to }, { json: defined(json) }),
    warnings: content.buttons.some(button => button.type === 'quick_reply') ? [payload] : []
  }
}

const asFile = { encode: file, media: 'file' } as const
/** Absent: location, contacts and reaction, for which WATI has no call (UPSTREAM.md 5, rows 5–20). */
export const encoders: EncoderTable<Settings> = {
  text: { encode: text },
  image: asFile,
  video: asFile,
  document: asFile,
  audio: asFile,
  sticker: asFile,
  buttons: { encode: buttons },
  list: { encode: list },
  template: { encode: template }
}
