import type { Caller } from '../keys/caller.ts'
import type { Rights } from '../keys/rights.ts'
import type { SubscriptionRow } from '../store/schema-subscriptions.ts'

/** The key that made a subscription, with the rights that it has now; undefined: it has ended. */
export type MakerOf = (row: Pick<SubscriptionRow, 'key_id'>) => Promise<Caller | undefined>

/** How long the rights of a key are believed (docs/reliability.md P44). */
const believeMs = 1000

/** Remembers for a moment what keys may do: every event and every attempt asks. */
export function createMakers(rights: Rights): MakerOf {
  const believed = new Map<string, { maker: Caller | undefined; until: number }>()
  return async ({ key_id }) => {
    const known = believed.get(key_id)
    if (known && known.until > performance.now()) return known.maker
    const maker = await rights(key_id)
    if (believed.size > 1000) believed.clear()
    believed.set(key_id, { maker, until: performance.now() + believeMs })
    return maker
  }
}
