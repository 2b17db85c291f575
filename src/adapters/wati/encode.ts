import type { MediaType } from '../../../schemas/content.ts'
import {
  type Encoded,
  type EncoderTable,
  type NativeRequest,
  type Sendable,
  type SendableContent,
  Unsupported
} from '../adapter.ts'
import { addressee, type Channel, defined, linkOf, post, refuseQuote, sender, target } from './request.ts'
import type { Settings } from './settings.ts'
import { template } from './template.ts'

// Neutral → WATI's wire, one pure function per message type. Every shape: docs/upstream.md 3.4.

/** WATI's own name for a template send, shown in its dashboard and never to the recipient: a mere hint elsewhere. */
const lostName = ({ options }: Sendable): string[] =>
  options?.broadcastName === undefined ? [] : ['WATI takes a broadcastName only with a template: it was not sent.']

/** docs/upstream.md 3.4.5. Our id goes along, so that WATI's `_v2` webhooks can be matched even if the answer is lost. */
function text(message: Sendable<'text'>, channel: Channel): Encoded {
  const { id, to, content, replyTo } = message
  const words = { messageText: content.body }
  const query = { replyContextId: replyTo, ...sender(channel), localMessageId: id, ...target(to) }
  const path = ['v1', 'sendSessionMessage', to]
  const inQuery = channel.settings.sessionTextIn === 'query'
  const preview = 'WATI decides by itself whether a link gets a preview: previewUrl was not sent.'
  return {
    request: inQuery ? post(path, { ...words, ...query }) : post(path, query, { form: words }),
    warnings: [...lostName(message), ...(content.previewUrl === undefined ? [] : [preview])]
  }
}

/** docs/upstream.md 3.4.6: WATI knows neither links nor ids of files here, only bytes. */
function file(message: Sendable<MediaType>, channel: Channel): Encoded {
  refuseQuote(message)
  const { to, content, type } = message
  if (!('file' in content.source)) {
    throw new Unsupported(`WATI takes ${type} only as a file: give a public link, or a mediaId of POST /media`)
  }
  const part = { ...content.source.file, filename: content.filename ?? content.source.file.filename }
  // WATI shows a document without a caption as "null".
  const caption = content.caption ?? (type === 'document' ? part.filename : undefined)
  const query = { caption, ...sender(channel), ...target(to) }
  return {
    request: post(['v1', 'sendSessionFile', to], query, { multipart: [{ name: 'file', file: part }] }),
    warnings: lostName(message)
  }
}

/** docs/upstream.md 3.4.12: capitalised there; whether lower case is taken is unconfirmed. */
const headerTypes = { image: 'Image', video: 'Video', document: 'Document' } as const

function buttonsHeader(header: NonNullable<SendableContent['buttons']['header']>) {
  if ('text' in header) return { type: 'Text', text: header.text }
  const { kind, media } = header
  const fileName = kind === 'document' ? (media.filename ?? media.linkName) : undefined
  return { type: headerTypes[kind], media: { url: linkOf(media, 'buttons header'), ...defined({ fileName }) } }
}

/** The ids are ours to answer with, the recipient does not see them. WATI tells a reply by its title (3.4.13, 3.7). */
const lostIds = (items: { id?: string }[], what: string): string[] =>
  items.some(item => item.id !== undefined)
    ? [`WATI has no ids for ${what}: they were not sent, and a reply names the title only.`]
    : []

function interactive(act: string, message: Sendable, channel: Channel, json: Record<string, unknown>): NativeRequest {
  refuseQuote(message)
  const query = { ...addressee(message.to), ...sender(channel) }
  return post(['v1', act], query, { json: defined(json) })
}

/** docs/upstream.md 3.4.12: an object for a header, plain strings for body and footer. */
function buttons(message: Sendable<'buttons'>, channel: Channel): Encoded {
  const { header, buttons, ...strings } = message.content
  const texts = buttons.map(({ title }) => ({ text: title }))
  const json = { ...strings, header: header && buttonsHeader(header), buttons: texts }
  return {
    request: interactive('sendInteractiveButtonsMessage', message, channel, json),
    warnings: [...lostName(message), ...lostIds(buttons, 'buttons')]
  }
}

/** docs/upstream.md 3.4.13. A header is a plain string here, a title is required, and one of our making would be seen. */
function list(message: Sendable<'list'>, channel: Channel): Encoded {
  const { button, sections, ...strings } = message.content
  // WhatsApp itself takes 4096 (4.2)
  if (strings.body.length > 1024) throw new Unsupported('WATI takes 1024 characters as a list’s body: shorten it')
  const untitled = sections.findIndex(section => section.title === undefined)
  if (untitled >= 0) throw new Unsupported(`WATI wants every section titled: give list.sections[${untitled}].title`)
  const rows = sections.flatMap(section => section.rows)
  const titles = rows.map(({ title }) => title)
  const twice = titles.filter((title, i) => titles.indexOf(title) !== i)
  const json = {
    ...strings,
    buttonText: button,
    sections: sections.map(({ title, rows }) => ({ title, rows: rows.map(row => defined({ ...row, id: undefined })) }))
  }
  return {
    request: interactive('sendInteractiveListMessage', message, channel, json),
    warnings: [
      ...lostName(message),
      ...lostIds(rows, 'list rows'),
      ...[...new Set(twice)].map(
        title => `WATI tells a reply by its row’s title, and several rows are called ${JSON.stringify(title)}.`
      )
    ]
  }
}

const asFile = { encode: file, media: 'file' } as const
/** Absent: location, contacts and reaction, for which WATI has no call (docs/upstream.md 5, rows 5–20). */
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
