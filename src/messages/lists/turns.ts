import { setImmediate as turn } from 'node:timers/promises'
import type { Store } from '../../store/store.ts'

/** Milliseconds after which others have their turn. */
const turnMs = 2
/** Milliseconds that a statement may take. SQLite answers on the event loop, where everybody waits for it. */
const slowMs = { sqlite: 2, postgres: 100 }
/** Rows that are looked at in any case. */
const fewest = 16

/** How a long read goes on without being in the way of others. */
export interface Turns {
  /** Asks the store, and gives others their turn after a while. */
  read: Store['read']
  /** Rows that one statement may look at now: half as many after one that was slow, as where rows come from the disk. */
  most: () => number
}

/** @param portion rows that one statement looks at where nothing is slow */
export function createTurns({ read, dialect }: Pick<Store, 'read' | 'dialect'>, portion: number): Turns {
  let most = portion
  let since = performance.now()
  return {
    most: () => most,
    read: async query => {
      const begun = performance.now()
      const rows = await read(query)
      const now = performance.now()
      if (now - begun > slowMs[dialect]) most = Math.max(Math.min(fewest, portion), most >> 1)
      else if (now - begun < slowMs[dialect] / 2) most = Math.min(portion, 2 * most)
      if (now - since > turnMs) {
        await turn()
        since = performance.now()
      }
      return rows
    }
  }
}
