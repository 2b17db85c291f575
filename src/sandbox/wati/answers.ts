import { randomUUID } from 'node:crypto'
import { type Answer, type Call, PHONE, Refusal, USER_ID, type WatiShape } from '../call.ts'
import type { Mistake } from '../check.ts'

/** What WATI says where the conversation is closed (docs/upstream.md 3.4.5). */
export const EXPIRED = 'Ticket has been expired.'

/** What WATI says of missing, blank or misnamed template parameters (docs/upstream.md 3.4.8). */
export const TYPOS = 'Check your template, it cannot have typos or blank text'

interface Failure {
  text: string
  /** the number itself is the trouble */
  badNumber?: boolean
}

/** How each family of endpoints words a failure inside a 200 (docs/upstream.md 3.4.5-3.4.14). */
const FAILURES: Record<WatiShape, (failure: Failure, call: Call) => unknown> = {
  session: ({ text }) =>
    text === EXPIRED ? { result: false, message: text, ticketStatus: 'EXPIRED' } : { result: false, info: text },
  interactive: ({ text }) => (text === EXPIRED ? { result: false, message: text } : { ok: false, errors: [text] }),
  template: ({ text, badNumber }) =>
    badNumber ? { result: false, validWhatsAppNumber: false, info: text } : { result: false, info: text },
  templateV2: receiversFail,
  bulk: ({ text, badNumber }, call) => ({
    result: false,
    errors: {
      error: text,
      invalidWhatsappNumbers: badNumber ? call.recipients : [],
      invalidCustomParameters: []
    }
  }),
  bulkV2: receiversFail,
  plain: ({ text }) => ({ result: false, info: text })
}

/** v2 tells of a bad number per receiver, of everything else in `error` (docs/upstream.md 3.4.11). */
function receiversFail({ text, badNumber }: Failure, call: Call): unknown {
  if (!badNumber) return { result: false, error: text }
  const receivers = call.recipients.map(waId => ({
    localMessageId: randomUUID(),
    waId,
    isValidWhatsAppNumber: false,
    errors: []
  }))
  return { result: true, error: null, templateName: templateName(call), receivers, parameters: [] }
}

/** The template that a JSON body names. */
export function templateName(call: Call): string {
  const body = call.body.kind === 'json' ? (call.body.value as { template_name?: string } | null) : null
  return body?.template_name ?? ''
}

/** A business failure: HTTP 200 with a flag, in the words of the endpoint. */
export function failure(call: Call, text: string, badNumber = false): Answer {
  return { status: 200, body: FAILURES[call.operation.shape ?? 'plain']({ text, badNumber }, call) }
}

/** A request that WATI's model binding would not take. */
export function badRequest(text: string): Refusal {
  return new Refusal({ status: 400, body: { result: false, info: text } }, text)
}

/** The refusal for the first mistake in a JSON body. */
export function badField({ path, text }: Mistake): Refusal {
  return badRequest(path === '' ? `The body ${text}` : `${path} ${text}`)
}

/** A failure inside a 200 that a correct client would not have earned. */
export function rejected(call: Call, text: string, why = text): Refusal {
  return new Refusal(failure(call, text), why)
}

/** Refuses a recipient that is not plain digits (docs/upstream.md 3.2). */
export function checkNumber(call: Call, number: string): string {
  if (PHONE.test(number)) return number
  call.recipients = [number]
  throw new Refusal(failure(call, 'Invalid WhatsApp number', true), `"${number}" is not a plain number`)
}

/** The recipient of a call that names it in the query: `target` goes before `whatsappNumber` (docs/upstream.md 3.2). */
export function recipientOf(call: Call): string {
  const { target, whatsappNumber } = call.query
  if (target !== undefined) return resolveTarget(call, target)
  if (whatsappNumber === undefined) throw badRequest('whatsappNumber or target is required')
  return checkNumber(call, whatsappNumber)
}

/** The recipient of a call that names it in the path, which takes a user id or a contact id there as well. */
export function pathRecipient(call: Call): string {
  const named = call.query.target ?? call.params.number ?? ''
  return call.query.target !== undefined || USER_ID.test(named) ? resolveTarget(call, named) : checkNumber(call, named)
}

/** A phone number from a number, a contact id or a business-scoped user id. */
export function resolveTarget(call: Call, target: string): string {
  if (PHONE.test(target)) return target
  if (USER_ID.test(target)) return target
  const contact = /^[0-9a-f]{24}$/.test(target) ? call.state.contacts.byId(target) : undefined
  if (contact === undefined) throw badRequest('target is neither a number nor a known contact')
  return contact.wAid
}

/** Digits, wherever WATI takes a sender of ours. */
export function checkChannel(value: string | undefined, name: string): void {
  if (value !== undefined && !PHONE.test(value)) throw badRequest(`${name} is not a plain number`)
}
