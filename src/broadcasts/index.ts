import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { Room } from '../delivery/intake/backlog-limit.ts'
import type { Preparation } from '../delivery/intake/prepare.ts'
import { blockQueries } from '../messages/blocks.ts'
import type { Store } from '../store/store.ts'
import { type Broadcasts, createBroadcasts } from './broadcasts.ts'
import { createBroadcastIntake } from './intake.ts'
import { createWatch, type Watch } from './lifecycle.ts'
import { createProgress } from './progress.ts'
import { broadcastQueries } from './queries.ts'

export interface BroadcastRoomParts {
  store: Store
  channels: Channels
  preparation: Preparation
  /** For tables while they are read; an existing folder of ours alone. */
  directory: string
  log: Logger
  room?: Room
  /** Told when messages fall due. */
  wake: (mode: string, dueAt: number) => void
}

/** Broadcasts, and what begins, ends and clears them up. */
export function createBroadcastRoom(parts: BroadcastRoomParts): { broadcasts: Broadcasts; watch: Watch } {
  const { store, log, wake } = parts
  const queries = broadcastQueries(store)
  const blocks = blockQueries(store)
  const progress = createProgress(store, queries)
  const watch = createWatch(store, queries, blocks, log, progress.forget)
  const intake = createBroadcastIntake({ ...parts, queries, blocks, discard: watch.discard, withdraw: watch.withdraw })
  const look = () => void watch.look()
  const stop = () => {
    // A stream of events has no end of its own that a shutdown could wait for.
    progress.stop()
    return watch.stop()
  }
  return {
    broadcasts: createBroadcasts({ store, queries, blocks, intake, progress, wake, look }),
    watch: { ...watch, stop }
  }
}
