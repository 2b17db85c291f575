import { identified, isUserId } from '../../../phone.ts'
import type { Person, Scope } from '../../heard.ts'
import { instantOf } from '../../heard-parts.ts'
import { parsedJson } from '../../parsed-json.ts'
import { id, type Json, string } from '../decode.ts'

// What every event of WATI shares: ids, instants, people (docs/upstream.md 3.7; docs/webhooks.md A2–A5, D1).

/** An object of the members that are there. */
export const some = (members: Json): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/** A JSON text of WATI's own, as what it says; undefined where it is none: it may not parse (D1). */
export const parsed = (text: unknown): unknown => parsedJson(string(text) ?? '')

/** Ids that WATI may tell for one message; all of them name it (A5). */
export const idsOf = (event: Json): string[] => [
  ...new Set([event.whatsappMessageId, event.id, event.localMessageId].flatMap(value => id(value) ?? []))
]

/** What we plant as localMessageId: our message id (D4). */
const planted = /^msg_[0-9a-f]{32}$/
export const oursOf = (event: Json): string | undefined => {
  const local = string(event.localMessageId)
  return local !== undefined && planted.test(local) ? local : undefined
}

/** Seconds as text or number, milliseconds, or WATI's own spelling of a date; undefined where it is no instant. */
export function instant(event: Json): number | undefined {
  const { timestamp, created } = event
  const told = typeof timestamp === 'string' && /^\d{1,15}$/.test(timestamp) ? Number(timestamp) : timestamp
  const number = instantOf(told)
  if (number !== undefined) return number
  const text = string(created) ?? string(timestamp)
  // without a zone it is UTC
  const at = text === undefined ? Number.NaN : Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`)
  return instantOf(at)
}

/** The person of an event. An identifier counts by its form: a user id has been seen where a number belongs. */
export function personOf(event: Json): Person {
  const parent = string(event.parentBsuid)?.trim()
  const username = string(event.username)?.trim().replace(/^@/, '')
  const name = string(event.senderName)
  return {
    ...identified(event.waId, event.bsuid),
    ...(parent !== undefined && isUserId(parent) && { parentUserId: parent }),
    ...(username && { username }),
    ...(name !== undefined && { name: name.slice(0, 256) })
  }
}

/** A yes or no, in whichever spelling it is told. */
export const yes = (value: unknown): boolean =>
  value === true || value === 1 || (typeof value === 'string' && /^(?:true|1)$/i.test(value.trim()))

/** The number that the event is about: it may only contradict the token's channel (D3). */
export function scopeOf(event: Json): Scope {
  const value = event.channelPhoneNumber
  const phone = string(typeof value === 'number' ? String(value) : value)?.replace(/\D/g, '')
  return phone ? { phone } : {}
}
