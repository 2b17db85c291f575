import { createHash } from 'node:crypto'

// What the webhooks of every provider need: instants that can be, and copies of what is told that are bounded.

/** Before WhatsApp there was nothing to tell of: 2009 in milliseconds. */
const first = Date.UTC(2009, 0)
/** The greatest that a Date holds. */
const last = 8.64e15

/** An instant in milliseconds from seconds or milliseconds; undefined where it cannot be one of a message. */
export function instantOf(told: unknown): number | undefined {
  if (typeof told !== 'number' || !Number.isFinite(told)) return undefined
  const at = Math.trunc(told >= 1e11 ? told : told * 1000)
  return at >= first && at < last ? at : undefined
}

/** A copy of what was told, without depth or length that nobody reads. */
export function bounded(value: object, depth = 0): Record<string, unknown> {
  const entries = Object.entries(value)
    .slice(0, 40)
    .filter(([key]) => key !== '__proto__')
  return Object.fromEntries(entries.map(([key, member]) => [key, boundedMember(member, depth)]))
}

function boundedMember(member: unknown, depth: number): unknown {
  if (typeof member === 'string') return member.slice(0, 512)
  if (typeof member !== 'object' || member === null) return member
  if (depth >= 3) return null
  if (Array.isArray(member)) return member.slice(0, 20).map(each => boundedMember(each, depth + 1))
  return bounded(member, depth + 1)
}

/** Tells apart what has no id and no instant of its own. */
export const digestOf = (detail: object): string =>
  createHash('sha256').update(JSON.stringify(detail)).digest('base64url').slice(0, 16)

/** What an event is about, where it tells no instant (`timeless` of Told). */
export const timeless = (at: number | undefined, ...about: (string | undefined)[]): { timeless?: string } =>
  at === undefined ? { timeless: about.filter(Boolean).join('/') } : {}
