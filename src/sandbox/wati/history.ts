import { randomUUID } from 'node:crypto'
import { type Act, type Call, type Part, take } from '../call.ts'
import { wamid } from '../ids.ts'
import type { Taken } from '../webhooks/happening.ts'
import { badRequest, checkChannel, resolveTarget, templateName } from './answers.ts'
import { page } from './paging.ts'
import { item, type MessageItem } from './seed-messages.ts'

/** Row 8: newest first, as is assumed (docs/upstream.md 3.4.4). */
export function getMessages(call: Call): Act {
  const target = resolveTarget(call, call.params.target ?? '')
  const { channelPhoneNumber: through } = call.query
  checkChannel(through, 'channelPhoneNumber')
  const said = (call.state.messages.get(target) ?? []).filter(
    ({ channelPhoneNumber: own }) => through === undefined || own === undefined || own === through
  )
  const { items, link } = page(call, said.toReversed())
  return () => ({ status: 200, body: { result: 'success', messages: { items }, link } })
}

/** Row 20: the bytes of a file that a message named (docs/upstream.md 3.4.15). */
export function getMedia(call: Call): Act {
  const { fileName } = call.query
  if (fileName === undefined) throw badRequest('fileName is required')
  if (!/^data\/[a-z]+\/[^/\\]+$/.test(fileName) || fileName.includes('..')) {
    throw badRequest('fileName is not a path of ours')
  }
  const file = call.state.files.get(fileName)
  return () => {
    if (file !== undefined) return { status: 200, headers: { 'content-type': file.contentType }, body: file.bytes }
    call.entry.refused = 'unknown file'
    return { status: 404 }
  }
}

/** Histories are kept short, so that a long load test does not fill the memory. */
const LONGEST = 50

/** Most numbers whose history is kept, for the same reason; the one not written to for longest goes first. */
const MOST_NUMBERS = 10_000

/** What an outbound template looks like in the history (docs/upstream.md 3.6). */
export const BROADCAST = { eventType: 'broadcastMessage', type: null, owner: null } as const

/** A message just sent; it has all three ids. */
type Sent = MessageItem & { whatsappMessageId: string; localMessageId: string }

/** The provider takes a message: it is in the history, and in the ledger by the id that the caller is told. */
export function deliver(
  call: Call,
  to: string,
  more: Partial<MessageItem>,
  told: 'id' | 'whatsappMessageId' | 'localMessageId',
  localMessageId: string = randomUUID(),
  choices: Taken['choices'] = []
): Sent {
  const through = channelOf(call)
  const sent: Sent = {
    ...item(more),
    ...(through !== '' && { channelPhoneNumber: through }),
    whatsappMessageId: wamid(to),
    localMessageId
  }
  remember(call.state.messages, to, sent)
  const { id, whatsappMessageId, text, finalText } = sent
  const template = sent.eventType === 'broadcastMessage'
  take(call, to, sent[told], {
    numberId: through,
    wamid: whatsappMessageId,
    id,
    localMessageId,
    type: template ? 'template' : String(sent.type),
    text: finalText ?? text ?? '',
    ...(template && { templateName: templateName(call) }),
    choices
  })
  return sent
}

/** The sending number, where the call names one. */
function channelOf({ query, body }: Call): string {
  const named = body.kind === 'json' ? (body.value as { channel_number?: unknown } | null)?.channel_number : undefined
  return query.channelPhoneNumber ?? (typeof named === 'string' ? named : '')
}

export function remember(messages: Map<string, MessageItem[]>, to: string, sent: MessageItem): void {
  const kept = messages.get(to) ?? []
  if (kept.length >= LONGEST) kept.shift()
  kept.push(sent)
  // a map keeps the order of insertion
  messages.delete(to)
  messages.set(to, kept)
  if (messages.size > MOST_NUMBERS) messages.delete(messages.keys().next().value ?? '')
}

/** The `message` object that session and interactive sends answer (docs/upstream.md 3.4.5, 3.4.12). */
export function messageBody(sent: MessageItem): Record<string, unknown> {
  return {
    id: sent.id,
    whatsappMessageId: sent.whatsappMessageId ?? null,
    localMessageId: sent.localMessageId,
    text: sent.text,
    type: sent.type,
    time: sent.timestamp,
    status: 1,
    statusString: 'SENT',
    isOwner: true,
    ticketId: sent.ticketId,
    conversationId: sent.conversationId,
    created: sent.created,
    assignedId: null,
    operatorName: null,
    replyContextId: sent.replyContextId ?? null,
    sourceType: 2,
    failedDetail: null
  }
}

const FOLDERS: Record<string, string> = { image: 'images', video: 'videos', audio: 'audios' }

/** Larger files have a path in the history and no bytes behind it. */
const SERVED = 512 * 1024

/** Keeps a sent file where getMedia finds it, and tells its path. */
export function keepFile(call: Call, part: Part): string {
  const kind = part.contentType.split('/')[0] ?? ''
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(part.filename ?? '')?.[1] ?? 'bin'
  const path = `data/${FOLDERS[kind] ?? 'documents'}/${randomUUID()}.${extension}`
  if (part.bytes !== undefined && part.size <= SERVED)
    call.state.files.set(path, { contentType: part.contentType, bytes: part.bytes })
  return path
}
