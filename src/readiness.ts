import { setTimeout } from 'node:timers/promises'
import { blockKey, blockQueries } from './messages/blocks.ts'
import type { Store } from './store/store.ts'

/** A probe gives up after a second or two, and takes that for the answer. */
const mostMs = 1000
const late = 'the store answers late: what else there is could not be looked up'

/** What /readyz says. */
export interface Readiness {
  /** Off, from now on. */
  close: () => void
  /** Whether a load balancer may send traffic: null, or the reason why not. */
  notReady: () => Promise<string | null>
  /** What is not as it should be although traffic may come: null, or the words for it. */
  degraded: () => Promise<string | null>
}

/** @param others looks at what is no business of the store's; the first that has words counts */
export function createReadiness(store: Store, others: (() => Promise<string | null>)[]): Readiness {
  let closing = false
  const found = async (): Promise<string | null> => {
    const standing = await store.read(blockQueries(store).all({})).catch(() => [])
    const stands = (start: string) => standing.some(({ key }) => key.startsWith(start))
    if (stands(blockKey.hold)) return 'held after a restore: nothing is sent until POST /admin/hold/release'
    if (stands('breaker/')) return 'a provider does not answer, or asks us to wait'
    for (const look of others) {
      // a look that fails says nothing: whether the store answers is told by notReady
      const words = await look().catch(() => null)
      if (words !== null) return words
    }
    return null
  }
  return {
    close: () => {
      closing = true
    },
    notReady: async () => {
      if (closing) return 'closing'
      return store.probe().then(
        () => null,
        () => 'the store is not writable'
      )
    },
    degraded: () => Promise.race([found(), setTimeout(mostMs, late, { ref: false })])
  }
}
