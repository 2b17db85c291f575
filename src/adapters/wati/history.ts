import { messageTypes } from '../../../schemas/content.ts'
import { arriving } from '../../../schemas/inbound.ts'
import type { Message, MessageStatus } from '../../../schemas/messages.ts'
import { identified } from '../../phone.ts'
import type { BoundChannel, ConversationItem, NativeRequest, NativeStream, Operations } from '../adapter.ts'
import { UpstreamFailure } from '../adapter.ts'
import { instant } from './contacts.ts'
import { array, type Json, record, string } from './decode.ts'
import { isMediaPath, mediaPathOf } from './media-path.ts'
import { holding } from './outcome.ts'
import { pageAt, placeOf, turn } from './paging.ts'
import { type Channel, sender } from './request.ts'

// WATI's history: docs/upstream.md 3.4.4 and 3.4.15, and the three kinds of item in 3.6.

/** Behind the place, the youngest item that the next page may hold: what was said meanwhile pushed the rest deeper. */
const seen = (cursor: string | undefined): [at: number, id: string] => {
  const [, at, id = ''] = /^\d+\.\d+~[\w-]*\.(\d{1,15})\.([\w-]*)$/.exec(cursor ?? '') ?? []
  return [at === undefined ? Number.POSITIVE_INFINITY : Number(at), id]
}

/** One page of getMessages, and how its answer is read. */
export function conversationPage({ phone, limit, cursor }: Operations['listConversation']['input'], channel: Channel) {
  const place = placeOf(cursor)
  const page = pageAt(place, limit)
  const [lastAt, lastId] = seen(cursor)
  const query = { ...page, ...sender(channel) }
  const request: NativeRequest = { method: 'GET', path: ['api', 'v1', 'getMessages', phone], query }
  const read = (body: Json): Operations['listConversation']['output'] => {
    const rows = array(record(body.messages).items)
    const { skip, next } = turn(place, page, rows, body.link ?? record(body.messages).link)
    // the order is not documented (3.4.4)
    const items = rows
      .slice(skip)
      .map(record)
      .filter(row => isOurs(row, channel))
      .map(row => item(row, phone, channel))
      .sort((a, b) => timeOf(b) - timeOf(a))
      .filter(each => timeOf(each) <= lastAt && each.message.id !== lastId)
    const last = items.at(-1)
    const [at, id] = last ? [timeOf(last), last.message.id.replace(/[^A-Za-z0-9_-]/g, '')] : [lastAt, lastId]
    return { items, nextCursor: next !== null && Number.isFinite(at) ? `${next}.${at}.${id}` : next }
  }
  return { request, read }
}

/** The list stands one level deeper than `holding` looks. */
export const holdingMessages = (answer: Parameters<typeof holding>[1]): Json => {
  const body = record(answer.body)
  holding('items', { ...answer, body: { ...body, items: record(body.messages).items } })
  return body
}

/**
 * What was said through another number of the account is another conversation: it is no proof of ours, and opens no
 * window of ours. An item that names no number may be either.
 */
function isOurs(row: Json, { settings }: Channel): boolean {
  const through = identified(row.channelPhoneNumber, row.channelNumber).phone
  return settings.channelPhoneNumber === undefined || through === undefined || through === settings.channelPhoneNumber
}

const timeOf = ({ message }: ConversationItem): number => Date.parse(message.createdAt)

/** Their word for what the message is, where it is not ours. */
const types: Readonly<Record<string, string>> = { voice: 'audio', ptt: 'audio' }
/** Types that a message can be shown as: those that are sent, and those that only arrive. */
const shownTypes = new Set<string>([...messageTypes, ...Object.keys(arriving)])
const mediaTypes = new Set(['image', 'video', 'document', 'audio', 'sticker'])
const statuses: Readonly<Record<string, MessageStatus>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  replied: 'read',
  failed: 'failed'
}
function item(row: Json, phone: string, channel: BoundChannel): ConversationItem {
  const kind = string(row.eventType)
  if (kind === 'ticket')
    return { message: { ...base(row, phone, channel, 'event', 'sent'), ...said(row) } as Message, event: true }
  const inbound = kind !== 'broadcastMessage' && row.owner === false
  const stated = string(row.statusString)?.toLowerCase() ?? ''
  // an inbound message says SENT as well (3.7): its direction comes from `owner` alone
  const status = inbound ? 'received' : (statuses[stated] ?? 'accepted')
  const word = string(row.type)?.toLowerCase()
  const stating = types[word ?? ''] ?? word ?? 'text'
  // A word that is none of ours tells of something that we have no content of; its words are shown all the same.
  // As the webhook of the same answer is heard (hear/content.ts).
  const answer = inbound && (stating === 'button' || stating === 'interactive')
  const known = kind === 'broadcastMessage' ? 'template' : answer ? 'reply' : stating
  const type = shownTypes.has(known) ? known : 'unsupported'
  const message = { ...base(row, phone, channel, type, status), ...(!mediaTypes.has(type) && said(row)) } as Message
  if (answer) {
    const title = (message as { text?: { body: string } }).text?.body
    Object.assign(message, { reply: { kind: 'button', ...(title !== undefined && { title }) }, text: undefined })
  }
  const operator = string(row.operatorName)
  if (type !== known) Object.assign(message, { unsupported: { type: known } })
  // written in WATI's inbox: none of ours, whatever it says
  if (operator !== undefined && !inbound) Object.assign(message, { origin: 'operator', operator: { name: operator } })
  if (type === 'template') {
    const name = /template:?\s+([A-Za-z0-9_.-]{1,512})\s*$/.exec(string(row.eventDescription) ?? '')?.[1]
    if (name) message.template = { name }
  }
  const failure = string(row.failedDetail)
  const file = fileOf(row, type)
  if (mediaTypes.has(type) && !file) message.warnings = ['WATI names no file of this message that can be fetched.']
  return {
    message,
    ...(status === 'failed' && { failure: failure ?? 'WATI gives no reason.' }),
    ...(file && { file })
  }
}

function base(
  row: Json,
  phone: string,
  { id, provider, mode }: BoundChannel,
  type: string,
  status: MessageStatus
): Partial<Message> {
  const inbound = status === 'received'
  const replyTo = string(row.replyContextId)
  const at = instant(row.created) ?? instant(new Date(Number(row.timestamp) * 1000 || 0).toISOString())!
  const own = string(row.id) ?? `${Date.parse(at)}`
  return {
    id: own,
    channel: id,
    provider,
    mode,
    direction: inbound ? 'inbound' : 'outbound',
    [inbound ? 'from' : 'to']: phone,
    type,
    status,
    final: ['received', 'read', 'failed'].includes(status) || type === 'event',
    providerMessageId: type === 'event' ? null : (string(row.whatsappMessageId) ?? own),
    ...(replyTo && { replyTo }),
    reference: null,
    metadata: null,
    warnings: [],
    attempts: inbound || type === 'event' ? 0 : 1,
    createdAt: at
  }
}

/** What can be read of it, as text: of a template its words, of a button its title, of an event what happened. */
function said(row: Json): { text?: { body: string } } {
  const body = string(row.finalText) ?? string(row.text) ?? string(row.eventDescription)
  return body === undefined ? {} : { text: { body: body.slice(0, 4096) } }
}

/** Of a document the text is the file's name (3.7), of the others what was written below them. */
function fileOf(row: Json, type: string): ConversationItem['file'] {
  const path = mediaPathOf(row.data)
  if (!mediaTypes.has(type) || path === undefined) return undefined
  const text = string(row.text)
  if (type === 'document') return { path, ...(text && { filename: text.slice(0, 240) }) }
  return { path, ...(text && type !== 'audio' && type !== 'sticker' && { caption: text.slice(0, 1024) }) }
}

/** The bytes of one file. A path that is none of WATI's own never leaves. */
export function mediaRequest({ path }: Operations['getMedia']['input']): NativeRequest {
  if (!isMediaPath(path)) throw new TypeError('not a path of WATI’s media')
  return { method: 'GET', path: ['api', 'v1', 'getMedia'], query: { fileName: path } }
}

/** A file, and not a failure in WATI's words or a page. WATI says the type of every file (3.4.15), and JSON is none. */
export async function mediaStream(answer: NativeStream): Promise<NativeStream> {
  const { status, headers, body } = answer
  const type = string([headers['content-type']].flat()[0])?.toLowerCase() ?? 'text/html'
  const facts = { kind: 'unreadable', started: true, status, headers } as const
  if (/^(application|text)\/(problem\+)?json\b/.test(type)) {
    // throws in WATI's words where these refuse
    holding('a file', { status, headers, body: await jsonOf(body) })
  } else if (!type.startsWith('text/html') && headers['content-length'] !== '0') return answer
  body.destroy()
  throw new UpstreamFailure('the answer is no file', facts)
}

/** A refusal is short; what is longer, or no JSON, is undefined. */
async function jsonOf(body: NativeStream['body']): Promise<unknown> {
  let text = ''
  for await (const chunk of body as AsyncIterable<Buffer>) {
    text += chunk.toString()
    if (text.length > 64 * 1024) return undefined
  }
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
