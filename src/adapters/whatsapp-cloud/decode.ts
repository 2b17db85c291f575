import { identified } from '../../phone.ts'
import type { FailureFacts, NativeAnswer, Operations, Receipt } from '../adapter.ts'
import { UpstreamFailure } from '../adapter.ts'

// Wire → neutral. Only the fields that are read are looked at, and each may be missing or of any shape.

type Json = Record<string, unknown>
export const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
export const array = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
export const string = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
/** Ids are digits in a string, and now and then a JSON number (4.1). */
export const graphId = (value: unknown): string | undefined =>
  Number.isSafeInteger(value) ? String(value) : string(value)
/** Meta's enums in our spelling. */
export const word = (value: unknown): string | undefined => string(value)?.toLowerCase()

const failure = (kind: FailureFacts['kind'], message: string, { status, headers, body }: NativeAnswer) =>
  new UpstreamFailure(message, { kind, started: true, status, headers, body })
export const unreadable = (answer: NativeAnswer, lacks: string) =>
  failure('unreadable', `WhatsApp answered without ${lacks}`, answer)

/** The body of an answer that is not a refusal: Graph says errors in `error`, whatever the status. */
export function granted(answer: NativeAnswer): Json {
  const body = record(answer.body)
  if (typeof body.error !== 'object' || body.error === null) return body
  throw failure('refused', 'WhatsApp refused in a successful answer', answer)
}

/** Where the message is taken, but not on its way yet (4.2). */
const statusWarnings: ReadonlyMap<string | undefined, string> = new Map([
  [
    'held_for_quality_assessment',
    'WhatsApp holds the message to assess the template: it may be sent later or dropped.'
  ],
  ['paused', 'WhatsApp took the message, but its template is paused: it may not be sent.']
])

export function receipt(answer: NativeAnswer): Receipt {
  const body = record(answer.body)
  const message = record(array(body.messages)[0])
  const providerMessageId = string(message.id)
  // the id is looked for first: it alone proves that the message was taken, and then nothing else disproves it
  if (providerMessageId === undefined) {
    granted(answer)
    throw unreadable(answer, 'a message id')
  }
  const contact = record(array(body.contacts)[0])
  const warning = statusWarnings.get(word(message.message_status))
  return {
    providerMessageId,
    recipient: identified(contact.wa_id, contact.user_id),
    warnings: warning ? [warning] : []
  }
}

/** Media ids can be sent for 30 days after the upload (4.5 [M-MEDIA, M-PYWA]). */
const mediaLifeSeconds = 30 * 24 * 60 * 60

export function uploaded(answer: NativeAnswer): Operations['uploadMedia']['output'] {
  const providerMediaId = graphId(granted(answer).id)
  if (providerMediaId === undefined) throw unreadable(answer, 'a media id')
  return { providerMediaId, lifeSeconds: mediaLifeSeconds }
}

/** The answer of a write that makes nothing: a deletion, a mark, a change. */
export function done(answer: NativeAnswer): null {
  const { success } = granted(answer)
  if (success === true) return null
  throw success === false ? failure('refused', 'WhatsApp did not do it', answer) : unreadable(answer, 'success')
}
