import { setTimeout as sleep } from 'node:timers/promises'
import { type Store, StoreUnavailable, type Unit } from '../../store/store.ts'
import { retryPolicy } from '../retry-policy.ts'

/**
 * A unit that must not be thrown away: while the store is not available it is kept and offered again, as long as the
 * process lives (docs/reliability.md 3.1 rule 5).
 * @param held called once, when it had to be kept
 * @throws what the unit itself throws
 */
export async function writeUntilStored<T>(store: Store, unit: () => Unit<T>, held: () => void): Promise<T> {
  for (let told = false; ; told = true) {
    try {
      return await store.write(unit)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      if (!told) held()
      await sleep(retryPolicy.resultMs)
    }
  }
}
