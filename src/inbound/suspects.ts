import type { Store } from '../store/store.ts'
import type { KeptBody, webhookQueries } from './queries.ts'

/** So many processes may end while they have a body in hand that was left to them; then it is not read any more. */
export const mostTries = 3
export const deadly = `The process ended ${mostTries} times while it was read: a defect of ours.`
/** What waits for so long may have been left by another process. */
const oldMs = 15_000

/** Which of the bodies that wait are to be read now, and how that went. */
export interface Suspects {
  /** @returns those that are to be read now: the first alone, or all that nobody has counted yet */
  take: (rows: KeptBody[]) => Promise<KeptBody[]>
  /** They have been read, as far as they were. */
  done: (rows: KeptBody[]) => void
  /** They could not be read, and this process lives: none of them is to blame. */
  spare: (rows: KeptBody[]) => Promise<void>
}

/**
 * Bodies that a process before us left may be what ended it. They are counted before they are taken in hand, once by each
 * process, and one that was in hand when a process ended is read alone, so that it stops no other. What has just come costs
 * no write.
 */
export function createSuspects(store: Store, queries: ReturnType<typeof webhookQueries>): Suspects {
  const begun = store.clock()
  /** Counted by this process, which has not ended. */
  const ours = new Set<string>()
  return {
    take: async rows => {
      const seen = rows.map(row => (ours.has(row.id) ? { ...row, tries: Math.max(0, row.tries - 1) } : row))
      const counted = seen.findIndex(({ tries }) => tries > 0)
      const now = counted === -1 ? seen : seen.slice(0, Math.max(1, counted))
      const old = Math.max(begun, store.clock() - oldMs)
      const left = now.filter(({ id, tries, received_at }) => !ours.has(id) && tries < mostTries && received_at < old)
      if (left.length === 0) return now
      await store.write(function* () {
        yield queries.suspect(left.map(({ id }) => id))
      })
      for (const { id } of left) ours.add(id)
      return now.map(row => (left.includes(row) ? { ...row, position: 0 } : row))
    },
    done: rows => {
      for (const { id } of rows) ours.delete(id)
    },
    spare: async rows => {
      const ids = rows.map(({ id }) => id).filter(id => ours.has(id))
      if (ids.length === 0) return
      await store
        .write(function* () {
          yield queries.spare(ids)
        })
        .then(
          () => ids.forEach(id => void ours.delete(id)),
          // It stands as counted by us until it has been read.
          () => {}
        )
    }
  }
}
