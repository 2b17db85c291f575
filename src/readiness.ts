import { blockKey, blockQueries } from './messages/blocks.ts'
import type { Store } from './store/store.ts'

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
    degraded: async () => {
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
  }
}
