import type { BoundChannel, CallFacts, Limit } from '../adapter.ts'
import type { Settings } from './settings.ts'

/** Per number and second, received messages included (docs/upstream.md 4.11): some of it is left to those. */
const throughput = 60
/** One message in 6 s to one person, of which up to 45 may be taken at once (4.11). */
const pair = { calls: 45, windowMs: 45 * 6000 }

export function limits({ settings }: BoundChannel<Settings>, { operation, to }: CallFacts): Limit[] {
  if (operation !== 'sendMessage') return []
  const number: Limit = { key: `number/${settings.phoneNumberId}`, calls: throughput, windowMs: 1000 }
  if (to === undefined) return [number]
  return [number, { key: `pair/${settings.phoneNumberId}/${to}`, ...pair, recipient: true }]
}
