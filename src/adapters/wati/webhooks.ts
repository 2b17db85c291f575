import type { NativeAnswer, NativeRequest, Operations, RegisteredWebhook } from '../adapter.ts'
import { array, type Json, record, string } from './decode.ts'
import { accepted, holding } from './outcome.ts'
import type { Settings } from './settings.ts'

// WATI's webhook endpoints (docs/webhooks.md D2). How v3 lists and deletes them is unconfirmed: where that answers 404, the
// dashboard (Connectors > Webhooks) is the way.

/** One family of each: v2 where it alone tells our id, else the plain one (docs/webhooks.md A4). */
const wanted = [
  'message',
  'newContactMessageReceived',
  'sessionMessageSent_v2',
  'templateMessageSent_v2',
  'sentMessageDELIVERED_v2',
  'sentMessageREAD_v2',
  'sentMessageREPLIED_v2',
  'templateMessageFailed',
  'sessionMessageFailed',
  'templateReviewed',
  'templateQualityUpdated',
  'templateCategoryUpdated',
  'wabaStatusReviewUpdate',
  'accountUpdated',
  'accountDeleted'
]

/** Without these nobody hears of replies, or of what became of a message: somebody chose the events by hand. */
const needed = ['message', 'sentMessageDELIVERED', 'sentMessageREAD', 'templateMessageFailed', 'sessionMessageFailed']

const list = ['api', 'ext', 'v3', 'webhooks']

export const registerRequest = (
  { channelPhoneNumber }: Settings,
  { url, fields = wanted }: Operations['registerWebhook']['input']
): NativeRequest => ({
  method: 'POST',
  path: ['api', 'v2', 'webhookEndpoints'],
  body: {
    json: [{ ...(channelPhoneNumber && { phoneNumber: channelPhoneNumber }), url, status: 1, eventTypes: fields }]
  }
})

/** The endpoint's id where the answer names it: `ok` alone proves that it was made (D2). */
export function made(answer: NativeAnswer): Operations['registerWebhook']['output'] {
  const id = idOf((listOf(accepted(answer)) ?? [])[0])
  return id === undefined ? {} : { id }
}

export const readRequest = (): NativeRequest => ({ method: 'GET', path: list })

/** Ours where it is there, else the first; 2 is WATI's word for one that it has switched off (A1). */
export function registered(answer: NativeAnswer, url?: string): RegisteredWebhook | null {
  const list = listOf(record(answer.body)) ?? (Array.isArray(answer.body) ? answer.body : undefined)
  // throws in WATI's words where these refuse, and where there is no list at all
  const all = array(list ?? holding('webhooks', answer)).map(record)
  const found = all.find(endpoint => string(endpoint.url) === url) ?? all.find(endpoint => string(endpoint.url))
  const address = string(found?.url)
  if (found === undefined || address === undefined) return null
  const id = idOf(found)
  const fields = array(found.eventTypes).flatMap(name => string(name) ?? [])
  const stems = new Set(fields.map(name => name.replace(/_(?:v2|bsuid)$/i, '').toLowerCase()))
  const missing = fields.length === 0 ? [] : needed.filter(name => !stems.has(name.toLowerCase()))
  return {
    url: address,
    ...(id !== undefined && { id }),
    ...(fields.length > 0 && { fields }),
    ...(missing.length > 0 && { missing }),
    working: found.status === undefined || found.status === 1
  }
}

/** @param id WATI's id of the endpoint */
export const removeRequest = (id: string): NativeRequest => ({ method: 'DELETE', path: [...list, id] })

const idOf = (endpoint: unknown): string | undefined => {
  const { id, webhookId } = record(endpoint)
  return string(id) ?? string(webhookId)
}

/** The list stands under one of these names: which of them is unconfirmed. */
const listOf = ({ webhooks, webhookEndpoints, items, result, data }: Json): unknown[] | undefined =>
  [webhooks, webhookEndpoints, items, result, data].find(Array.isArray)
