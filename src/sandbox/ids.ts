import { randomBytes, randomUUID } from 'node:crypto'

/** Random hex digits; WATI's own ids are 24 of them (docs/upstream.md 3.6). */
export function hex(length = 24): string {
  return (randomUUID() + randomUUID()).replaceAll('-', '').slice(0, length)
}

/** An id of WhatsApp's own making: base64 of a small binary record that holds the number (docs/upstream.md 4.2). */
export function wamid(phone: string): string {
  const head = `\x1c\x18${String.fromCharCode(phone.length)}${phone}\x15\x02\x00\x11\x18\x12`
  return `wamid.${Buffer.from(`${head}${hex(18).toUpperCase()}\x00`, 'latin1').toString('base64')}`
}

/** Decimal digits, as Graph object ids are made of. */
export function digits(length: number): string {
  let text = ''
  while (text.length < length) text += String(1_000_000_000 + (randomBytes(4).readUInt32BE() % 1_000_000_000)).slice(1)
  return text.slice(0, length)
}

/** Graph's trace id, as in `error.fbtrace_id` and the header `x-fb-trace-id`. */
export function fbtrace(): string {
  return `A${hex(22)}`
}

/** The sandbox's own media ids: nothing else it answers for begins like this. */
export const MEDIA_ID = /^2621\d{12}$/

/** A new id in the media range. */
export function mediaId(): string {
  return `2621${digits(12)}`
}
