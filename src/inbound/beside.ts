import type { Mode } from '../../schemas/common.ts'
import type { Store } from '../store/store.ts'
import type { webhookQueries } from './queries.ts'

/** A channel that was told of through another's door, and whether that was a status. */
export interface Told {
  channel: string
  status: boolean
}

/** How often it is noted of one channel. */
const everyMs = 1000

/**
 * Notes that channels were heard through another's door: one address may stand for many numbers. It has a commit of its own,
 * since two readers that write in each other's lanes would wait for each other, and is made now and then only.
 */
export function createBeside(store: Store, queries: ReturnType<typeof webhookQueries>) {
  const noted = new Map<string, number>()
  return async (mode: Mode, told: Told[], at: number): Promise<void> => {
    for (const { channel, status } of told) {
      const key = `${mode} ${channel} ${status}`
      if (performance.now() - (noted.get(key) ?? Number.NEGATIVE_INFINITY) < everyMs) continue
      noted.set(key, performance.now())
      await store.write(() => queries.heardBeside({ channel_id: channel, mode }, at, status))
    }
  }
}
