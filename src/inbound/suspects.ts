import type { Store } from '../store/store.ts'
import type { KeptBody, webhookQueries } from './queries.ts'

/** So many processes may end while they have a body in hand that was left to them; then it is not read any more. */
export const mostTries = 3
export const deadly = `The process ended ${mostTries} times while it was read: a defect of ours.`
/** What waits for so long may have been left by another process. */
const oldMs = 15_000

/**
 * Bodies that a process before us left may be what ended it. They are counted before they are taken in hand, and one that was
 * in hand when a process ended is read alone, so that it stops no other. What has just come costs no write.
 */
export function createSuspects(store: Store, queries: ReturnType<typeof webhookQueries>) {
  const begun = store.clock()
  /** @returns those that are to be read now: the first alone, or all that nobody has counted yet */
  return async (rows: KeptBody[]): Promise<KeptBody[]> => {
    const counted = rows.findIndex(({ tries }) => tries > 0)
    const now = counted === -1 ? rows : rows.slice(0, Math.max(1, counted))
    const left = now.filter(row => row.tries < mostTries && row.received_at < Math.max(begun, store.clock() - oldMs))
    if (left.length > 0)
      await store.write(function* () {
        yield queries.suspect(left.map(({ id }) => id))
      })
    return now
  }
}
