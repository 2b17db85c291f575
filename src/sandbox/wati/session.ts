import type { Act, Call } from '../call.ts'
import { badRequest, checkChannel, pathRecipient, rejected } from './answers.ts'
import { deliver, keepFile, messageBody } from './history.ts'

/** The text, in the query or in a form, never in both (docs/upstream.md 3.4.5). */
function readText(call: Call): string {
  const { body, query } = call
  if (body.kind === 'json') throw badRequest('messageText is required; a JSON body is not read')
  const fields =
    body.kind === 'form'
      ? body.value
      : body.kind === 'multipart'
        ? Object.fromEntries(body.parts.map(({ name, value }) => [name, value]))
        : {}
  const stray = Object.keys(fields).find(name => name !== 'messageText')
  if (stray !== undefined) throw badRequest(`${stray} is not a known form field`)
  if (fields.messageText !== undefined && query.messageText !== undefined) {
    throw badRequest('messageText is given twice')
  }
  const text = fields.messageText ?? query.messageText
  if (text === undefined || text === '') throw badRequest('messageText is required')
  if (text.length > 4096) throw rejected(call, 'messageText is longer than 4096 characters')
  return text
}

/** Row 9. */
export function sendSessionMessage(call: Call): Act {
  const to = pathRecipient(call)
  call.recipients = [to]
  const text = readText(call)
  const { replyContextId, channelPhoneNumber, localMessageId } = call.query
  checkChannel(channelPhoneNumber, 'channelPhoneNumber')
  if (replyContextId !== undefined && !replyContextId.startsWith('wamid.')) {
    throw badRequest('replyContextId is not a WhatsApp message id')
  }
  if (localMessageId === '') throw badRequest('localMessageId is empty')
  return () => {
    const more = { text, ...(replyContextId === undefined ? {} : { replyContextId }) }
    const message = messageBody(deliver(call, to, more, 'whatsappMessageId', localMessageId))
    return { status: 200, body: { ok: true, result: 'success', message, ticketStatus: 'OPEN' } }
  }
}

const MB = 1024 * 1024

/** Meta's sizes, which WATI is assumed to share (docs/upstream.md 4.5, section 8); everything else is a document. */
const LARGEST: Record<string, number> = { image: 5 * MB, audio: 16 * MB, video: 16 * MB }

/** Row 10. */
export function sendSessionFile(call: Call): Act {
  const to = pathRecipient(call)
  call.recipients = [to]
  const { caption, channelPhoneNumber, voice } = call.query
  checkChannel(channelPhoneNumber, 'channelPhoneNumber')
  if (voice !== undefined && voice !== 'true' && voice !== 'false') throw badRequest('voice is not a boolean')
  const parts = call.body.kind === 'multipart' ? call.body.parts : []
  const [file] = parts
  if (parts.length !== 1 || file?.name !== 'file') throw badRequest('exactly one part named "file" is required')
  if (!file.filename) throw badRequest('the file has no name')
  if (file.size === 0) throw rejected(call, 'the file is empty')
  const kind = file.contentType.split('/')[0] ?? ''
  if (file.size > (LARGEST[kind] ?? 100 * MB)) throw rejected(call, 'the file is too large')
  if (voice === 'true' && kind !== 'audio') throw rejected(call, 'voice is for audio files only')
  if (caption !== undefined && caption.length > 1024) throw rejected(call, 'the caption is longer than 1024 characters')
  return () => {
    const type = LARGEST[kind] === undefined ? 'document' : kind
    const text = caption ?? file.filename ?? null
    const { id } = deliver(call, to, { type, text, data: keepFile(call, file) }, 'id')
    return { status: 200, body: { result: id } }
  }
}
