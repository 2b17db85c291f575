import { ServiceError } from '../errors.ts'
import { type Limits, type Standing, timeZoneOf } from './account.ts'

/** To the nearest second: the instant that the milliseconds were counted from is a moment past. */
const instant = (ms: number): string =>
  `${new Date(Math.round((Date.now() + ms) / 1000) * 1000).toISOString().slice(0, 19)}Z`
const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000))

/** The 429 of a key that comes too fast. @param ms until the next request may come */
export const tooFast = ({ rateLimit }: Limits, ms: number): ServiceError =>
  new ServiceError(
    'rate_limited',
    `This key may make ${rateLimit!.perSecond} requests a second, and ${rateLimit!.burst} at once (rateLimit).`,
    { retryAfterSeconds: seconds(ms) }
  )

/** The 429 of a key whose day is used up. @param ms until the next day begins */
export const usedUp = (limits: Limits, ms: number): ServiceError =>
  new ServiceError(
    'rate_limited',
    `This key may make ${limits.quota!.perDay} requests a day (quota), and they are used up: the next day in ${timeZoneOf(limits)} begins at ${instant(ms)}.`,
    { retryAfterSeconds: seconds(ms) }
  )

/** The 429 of a broadcast with more recipients than are left. @param left what is left, the request itself included */
export const tooMany = (limits: Limits, recipients: number, left: number, ms: number): ServiceError =>
  new ServiceError(
    'rate_limited',
    `The broadcast has ${recipients} recipients, and ${left} of the ${limits.quota!.perDay} a day of this key (quota) are left.`,
    { retryAfterSeconds: seconds(ms) }
  )

/** What an answer tells of the limits (draft-ietf-httpapi-ratelimit-headers-10). @param elapsedMs since the account was read */
export function limitHeaders(
  { rateLimit, quota }: Limits,
  standing: Standing | undefined,
  { left, spare, elapsedMs }: { left: number; spare: number; elapsedMs: number }
): Record<string, string> {
  const policies: string[] = []
  const now: string[] = []
  if (rateLimit) {
    const { perSecond, burst } = rateLimit
    policies.push(`"rate";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`)
    if (standing) {
      const remaining = Math.min(burst, Math.floor(standing.burst + (elapsedMs * perSecond) / 1000) + left)
      now.push(`"rate";r=${remaining};t=${Math.ceil((burst - remaining) / perSecond)}`)
    }
  }
  if (quota) {
    policies.push(`"quota";q=${quota.perDay};w=86400`)
    if (standing) {
      const endsInMs = standing.day.endsAt - standing.at - elapsedMs
      now.push(`"quota";r=${Math.min(quota.perDay, standing.quota + left + spare)};t=${seconds(endsInMs)}`)
    }
  }
  return { 'ratelimit-policy': policies.join(', '), ...(now.length > 0 && { ratelimit: now.join(', ') }) }
}
