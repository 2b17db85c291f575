import { type Call, USER_ID } from '../call.ts'
import { wrong } from './graph.ts'
import { phoneNumber } from './seed-numbers.ts'

/** Whom a message reaches, and what Meta tells of them. */
export interface Recipient {
  /** Digits, or a business-scoped user id. */
  to: string
  contact: { input: string; wa_id?: string; user_id?: string }
}

/** Meta takes separators as well (docs/upstream.md 4.2). */
const NUMBER = /^\+?[\d ().-]+$/

/** The country code of the number that sends, as its display name spells it. */
const countryCode = (sender: string): string =>
  /^\+(\d{1,3})/.exec(String(phoneNumber(sender).display_phone_number))?.[1] ?? '1'

/**
 * The digits that Meta makes of a number (docs/webhooks.md A11). With a plus they stand as they are. Without one the sender's
 * country code is put in front: that is what Meta's page says of any, and what it does to a national number; a long one
 * of bare digits was seen to be taken for complete.
 */
function dialled(input: string, sender: string): string {
  const digits = input.replace(/\D/g, '')
  const complete = input.startsWith('+') || (digits === input && digits.length > 10)
  return complete ? digits : countryCode(sender) + digits
}

/** The number as WhatsApp knows it: Mexican mobiles have a 1 behind the 52, some of Brazil's lack the ninth digit. */
function waId(digits: string): string {
  if (/^52[2-9]\d{9}$/.test(digits)) return `521${digits.slice(2)}`
  return /^55[3-9][1-9]9\d{8}$/.test(digits) ? digits.slice(0, 4) + digits.slice(5) : digits
}

/** Reads `to` or `recipient`; where both are given, `to` counts (docs/webhooks.md C4). */
export function recipientOf(call: Call, sender: string, body: Record<string, unknown>): Recipient {
  const { to, recipient } = body
  if (to === undefined && typeof recipient === 'string') {
    call.recipients = [recipient]
    if (!USER_ID.test(recipient)) throw wrong(131009, 'Parameter value is not valid: recipient')
    return { to: recipient, contact: { input: recipient, user_id: recipient } }
  }
  if (to === undefined) throw wrong(131008, 'Param to is required')
  if (typeof to !== 'string') throw wrong(100, 'Param to must be a string')
  const digits = NUMBER.test(to) ? dialled(to, sender) : ''
  call.recipients = [digits]
  // Meta answers 200 to a user id here, and drops it: nobody would find out.
  if (!/^[1-9]\d{6,14}$/.test(digits)) throw wrong(100, `Param to is no phone number: "${to}"`)
  return { to: digits, contact: { input: to, wa_id: waId(digits) } }
}
